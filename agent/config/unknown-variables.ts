/** Refuses what is set and would silently do nothing: misspelled variables, and those that another choice does not read. */
import { ConfigError } from '../core/errors.ts'
import { suggestName } from '../core/text.ts'
import { type Environment, EnvironmentReader } from './reader.ts'
import { choices, type Variable } from './variable-row.ts'
import { type VariableName, variables } from './variables.ts'

/** Variables of Vault's CLI whose silent absence of effect would be dangerous. */
export const refusedVariables: Readonly<Record<string, string>> = {
  VAULT_SKIP_VERIFY: 'is refused: Vault is always verified; name its CA in VAULT_CACERT',
  VAULT_AGENT_ADDR: 'is not supported; name the address in VAULT_ADDR',
}

/** What `read` makes of an environment. @throws ConfigError with every problem that it has found, and every unknown variable */
export function parseEnvironment<Value>(env: Environment, read: (reader: EnvironmentReader) => Value): Value {
  const reader = new EnvironmentReader(env)
  refuseUnknown(reader)
  const value = read(reader)
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return value
}

function refuseUnknown(reader: EnvironmentReader): void {
  const names = Object.keys(variables)
  for (const name of Object.keys(reader.env).toSorted()) {
    const value = reader.env[name]?.trim() ?? ''
    if (Object.hasOwn(refusedVariables, name) && value !== '') reader.problem(name, refusedVariables[name] ?? '')
    if (!name.startsWith('AGENT_') || names.includes(name) || isServiceLink(name, value)) continue
    const suggestion = suggestName(name, names)
    const hint = suggestion === undefined ? '' : `; did you mean ${suggestion}?`
    reader.problem(name, `is not a variable of this agent${hint}`)
  }
}

/** Refuses what the chosen source or login does not read, and what lacks the variable that it needs. */
export function refuseWithoutEffect(reader: EnvironmentReader): void {
  for (const [name, { onlyFor, needs }] of setVariables(reader)) {
    if (needs !== undefined && !reader.isSet(needs as VariableName)) {
      reader.problem(name, `has no effect without ${needs}`)
    }
    // The first choice that does not fit is the reason; the others follow from it.
    for (const [selector, fitting] of Object.entries(onlyFor ?? {}) as [keyof typeof choices, readonly string[]][]) {
      const chosen = reader.text(selector)
      const isKnown = choices[selector].some((each) => each === chosen)
      if (!isKnown || fitting.includes(chosen)) continue
      reader.problem(name, `has no effect with ${selector}=${chosen}; it belongs to ${fitting.join(', ')}`)
      break
    }
  }
}

/** Refuses what only an agent reads, in a program that runs none. */
export function refuseAgentVariables(reader: EnvironmentReader): void {
  for (const [name, { onlyFor }] of setVariables(reader)) {
    if (onlyFor === undefined || !name.startsWith('AGENT_')) continue
    reader.problem(name, 'has no effect without VAULT_ADDR: no agent runs here')
  }
}

function setVariables(reader: EnvironmentReader): [VariableName, Variable][] {
  const all = Object.entries(variables) as [VariableName, Variable][]
  return all.filter(([name]) => reader.isSet(name))
}

/**
 * Names that Kubernetes injects into every container for a Service called `agent` or `agent-…` (service links): they are
 * not ours and must not stop the agent.
 * @see https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
 */
export function isServiceLink(name: string, value: string): boolean {
  // The value tells the link AGENT_WEB_PORT=tcp://10.0.0.1:80 from a mistake such as AGENT_LISTEN_PORT=9879.
  if (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value)) return true
  return /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(name)
}

/** Owns reading single values out of the environment: every problem is collected, none stops the reading. */
import { isAbsolute } from 'node:path'
import { parseDuration } from '../core/duration.ts'
import { type VariableName, variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export class EnvironmentReader {
  readonly problems: string[] = []
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** Collects a problem of one variable; `what` continues the sentence that starts with its name. */
  problem(name: string, what: string): undefined {
    this.problems.push(`${name} ${what}`)
    return undefined
  }

  /** The value; an empty variable counts as unset, as manifests often leave them so. */
  optional(name: VariableName): string | undefined {
    const value = this.#env[name]?.trim()
    return value === '' ? undefined : value
  }

  /** Of a variable that other programs read too, in upper case or in lower case. */
  optionalOfSystem(name: VariableName): string | undefined {
    const value = this.optional(name) ?? this.#env[name.toLowerCase()]?.trim()
    return value === '' ? undefined : value
  }

  isSet(name: VariableName): boolean {
    return this.optional(name) !== undefined
  }

  /** The value or the default of the table. */
  text(name: VariableName): string {
    const variable = variables[name]
    return this.optional(name) ?? ('default' in variable ? variable.default : '')
  }

  choice<const Choice extends string>(name: VariableName, choices: readonly Choice[]): Choice {
    const value = this.text(name)
    const found = choices.find((choice) => choice === value)
    if (found === undefined) this.problem(name, `is ${quote(value)}; it must be one of ${choices.join(', ')}`)
    return found ?? (choices[0] as Choice)
  }

  durationMs(name: VariableName, minMs: number, maxMs: number): number {
    const value = this.text(name)
    const ms = parseDuration(value)
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms
    this.problem(
      name,
      `is ${quote(value)}; it must be a duration such as 24h, 90s or seconds, from ${minMs / 1000}s to ${maxMs / 3_600_000}h`,
    )
    return minMs
  }

  number(name: VariableName, min: number, max: number, kind: 'whole' | 'decimal' = 'whole'): number {
    const value = this.text(name)
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
    if (number >= min && number <= max && (kind === 'decimal' || Number.isInteger(number))) return number
    this.problem(name, `is ${quote(value)}; it must be a ${kind} number from ${min} to ${max}`)
    return min
  }

  optionalNumber(name: VariableName, min: number, max: number): number | undefined {
    return this.isSet(name) ? this.number(name, min, max) : undefined
  }

  /** An octal file mode such as 0400. */
  mode(name: VariableName): number {
    const value = this.text(name)
    const mode = /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : Number.NaN
    if (Number.isNaN(mode)) {
      this.problem(name, `is ${quote(value)}; it must be an octal mode such as 0400 or 0440`)
    } else if ((mode & 0o400) === 0) {
      this.problem(name, `is ${value}; the owner must be able to read the files`)
    } else if ((mode & 0o007) !== 0) {
      this.problem(name, `is ${value}; a private key must not be open to everybody on the node`)
    } else if ((mode & 0o133) !== 0) {
      this.problem(name, `is ${value}; nobody but the agent may write the files, and nobody executes them`)
    }
    return Number.isNaN(mode) ? 0o400 : mode
  }

  absolutePath(name: VariableName): string | undefined {
    const value = this.optional(name)
    if (value === undefined || isAbsolute(value)) return value
    return this.problem(name, `is ${quote(value)}; it must be an absolute path`)
  }
}

export function quote(value: string): string {
  return value.length > 80 ? `${JSON.stringify(value.slice(0, 80))}…` : JSON.stringify(value)
}

/** What is wrong with a path, or undefined. Vault's paths have no empty, `.` or `..` part and no query. */
export function refusedPathProblem(path: string, example = 'pki or team/pki'): string | undefined {
  const parts = path.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || !/^[A-Za-z0-9._~-]+$/.test(part))
  return bad
    ? `is ${JSON.stringify(path)}; it must be a path such as ${example}, without slashes at its ends`
    : undefined
}

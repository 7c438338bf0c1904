/** Owns reading single values out of the environment: every problem is collected, none stops the reading. */
import { isAbsolute } from 'node:path'
import { parseDuration } from '../core/duration.ts'
import type { Variable } from './variable-row.ts'
import { type NameWith, type VariableName, variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

type ChoiceOf<Name extends NameWith<'choices'>> = (typeof variables)[Name]['choices'][number]

/** What each value may be is said in the table (variables.ts). */
export class EnvironmentReader {
  readonly problems: string[] = []
  readonly env: Environment

  constructor(env: Environment) {
    this.env = env
  }

  /** Collects a problem of one variable, once; `what` continues the sentence that starts with its name. */
  problem(name: string, what: string): undefined {
    const problem = `${name} ${what}`
    if (!this.problems.includes(problem)) this.problems.push(problem)
    return undefined
  }

  /** The value; an empty variable counts as unset, as manifests often leave them so. Some are set in lower case too. */
  optional(name: VariableName | Lowercase<VariableName>): string | undefined {
    return this.env[name]?.trim() || undefined
  }

  /** The value, which must be like the pattern; `what` says what it must be. */
  matching(name: VariableName, pattern: RegExp, what: string): string | undefined {
    const value = this.optional(name)
    if (value !== undefined && !pattern.test(value)) this.problem(name, `is ${quote(value)}; ${what}`)
    return value
  }

  isSet(name: VariableName): boolean {
    return this.optional(name) !== undefined
  }

  /** The value or the default of the table. */
  text(name: VariableName): string {
    const { default: value = '' }: Variable = variables[name]
    return this.optional(name) ?? value
  }

  choice<Name extends NameWith<'choices'>>(name: Name): ChoiceOf<Name> {
    const { choices } = variables[name]
    const value = this.text(name)
    const found = choices.find((choice) => choice === value)
    if (found === undefined) this.problem(name, `is ${quote(value)}; it must be one of ${choices.join(', ')}`)
    return found ?? choices[0]
  }

  durationMs(name: NameWith<'duration'>): number {
    const value = this.text(name)
    const ms = parseDuration(value) ?? Number.NaN
    const [least, most] = variables[name].duration
    const [leastMs, mostMs] = [parseDuration(least) ?? 0, parseDuration(most) ?? 0]
    if (ms >= leastMs && ms <= mostMs) return ms
    const what = `it must be a duration such as 24h, 90s or seconds, from ${least} to ${most}`
    this.problem(name, `is ${quote(value)}; ${what}`)
    return leastMs
  }

  whole(name: NameWith<'whole'>): number {
    return this.#number(name, variables[name].whole, 'whole')
  }

  decimal(name: NameWith<'decimal'>): number {
    return this.#number(name, variables[name].decimal, 'decimal')
  }

  #number(name: VariableName, [least, most]: readonly [number, number], kind: 'whole' | 'decimal'): number {
    const value = this.text(name)
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
    if (number >= least && number <= most && (kind === 'decimal' || Number.isInteger(number))) return number
    this.problem(name, `is ${quote(value)}; it must be a ${kind} number from ${least} to ${most}`)
    return least
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

  /** Undefined if there is neither a value nor a default, or if it is no absolute path. */
  absolutePath(name: VariableName): string | undefined {
    const value = this.text(name)
    if (value === '' || isAbsolute(value)) return value || undefined
    return this.problem(name, `is ${quote(value)}; it must be an absolute path`)
  }

  /** The path of a mount in Vault. */
  mount(name: VariableName, value = this.text(name)): string {
    const problem = refusedPathProblem(value)
    if (problem !== undefined) this.problem(name, problem)
    return value
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

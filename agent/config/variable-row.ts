/** Owns what a row of the table of variables says (variables.ts). */

export interface Variable {
  readonly meaning: string
  readonly default?: string
  /** The default column of the documentation, if the default is not a constant. */
  readonly defaultText?: string
  /** All that it may be. */
  readonly choices?: readonly string[]
  /** The least and the most: of a duration, of a whole number, of a decimal one. */
  readonly duration?: readonly [string, string]
  readonly whole?: readonly [number, number]
  readonly decimal?: readonly [number, number]
  /** The choices that read this variable. Set with another choice it would have no effect, and is refused. */
  readonly onlyFor?: OnlyFor
  /** The variable without which this one has no effect. */
  readonly needs?: string
}

/** Where certificates come from, and how the agent logs in: the two choices that other variables belong to. */
export const choices = {
  AGENT_SOURCE: ['pki', 'kv', 'file'],
  AGENT_AUTH_METHOD: ['jwt', 'kubernetes', 'approle', 'cert', 'token'],
} as const

type Source = (typeof choices.AGENT_SOURCE)[number]
type Method = (typeof choices.AGENT_AUTH_METHOD)[number]

interface OnlyFor {
  readonly AGENT_SOURCE?: readonly Source[]
  readonly AGENT_AUTH_METHOD?: readonly Method[]
}

export const source = (...sources: Source[]): OnlyFor => ({ AGENT_SOURCE: sources })

/** The sources that ask Vault. */
export const vault = source('pki', 'kv')

export const login = (...methods: Method[]): OnlyFor => ({ ...vault, AGENT_AUTH_METHOD: methods })

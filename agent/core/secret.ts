/**
 * Owns the wrapper around tokens and private keys: however it is printed, it prints `[redacted]`. In the texts of others, what
 * looks like one is found.
 */
import { inspect } from 'node:util'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself: for the request or the file that needs it, never for a message. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}

/** The fields with their secrets as plain text: for the request that sends them, and nothing else. */
export function revealed(fields: Readonly<Record<string, string | Secret>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]),
  )
}

/**
 * What nobody should repeat, and no log would forget. Each counts also if its beginning or its end was cut off. Others write these
 * texts, up to a megabyte of them: no part may make the search go back over all that it has read.
 */
const secretLike = new RegExp(
  [
    // A token of Vault or OpenBao, and of their older versions.
    String.raw`\bhv[sbr]\.[\w.-]*`,
    String.raw`\b[sbr]\.[\w-]{20,}`,
    // A JWT.
    String.raw`\beyJ[\w-]*(\.[\w-]*)*`,
    // The end of a private key, whose lines may be escaped; and one from its beginning, or what is left of that, to its end.
    String.raw`(?<![\w+/=\s\\])[\w+/=\s\\]*-{4,5} ?END [A-Z0-9 ]{0,30}PRIVATE KEY[A-Z ]{0,10}-{0,5}`,
    String.raw`(-{4,5} ?BEGIN [A-Z0-9 ]{0,30})?PRIVATE KEY.*?(-{4,5} ?END [A-Z0-9 ]{0,40}-{4,5}|$)`,
  ].join('|'),
  'gs',
)

export function redactSecrets(text: string): string {
  return text.replaceAll(secretLike, '[redacted]')
}

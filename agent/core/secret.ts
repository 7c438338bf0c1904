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

/** A token of Vault or OpenBao, a JWT, a private key or the end of one: nobody should repeat it, and no log would forget it. */
const secretLike =
  /\bhv[sbr]\.[\w.-]+|\b[sbr]\.[\w-]{20,}|\beyJ[\w-]+(\.[\w-]*)*|-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----.*?(-----END [A-Z ]*-----|$)|-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----/gs

export function redactSecrets(text: string): string {
  return text.replaceAll(secretLike, '[redacted]')
}

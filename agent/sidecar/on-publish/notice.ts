/** Owns what is told after a publication: the environment of a program, the body for a URL. It holds no secret. */
import { isoTime } from '../../core/clock.ts'

export interface Notice {
  readonly component: string
  readonly directory: string
  /** A code of the runbook; `found`: an earlier process has published it. */
  readonly reason: string
  readonly caSetChanged: boolean
  readonly serialNumber: string
  readonly notAfterMs: number
}

/** Nothing else is passed on: the agent's own environment may name tokens, or hold them. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_NAME'] as const

/** @param own the agent's environment */
export function environmentOf(
  { component, directory, reason, caSetChanged, serialNumber, notAfterMs }: Notice,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = passedOn.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]))
  return {
    ...Object.fromEntries(kept),
    PUBLISHED_TARGET: component,
    PUBLISHED_DIRECTORY: directory,
    PUBLISHED_REASON: reason,
    PUBLISHED_CA_SET_CHANGED: String(caSetChanged),
    PUBLISHED_SERIAL: serialNumber,
    PUBLISHED_NOT_AFTER: isoTime(notAfterMs),
  }
}

export function bodyOf({ component, notAfterMs, ...rest }: Notice): string {
  return JSON.stringify({ target: component, ...rest, notAfter: isoTime(notAfterMs) })
}

/**
 * Owns the difference between this machine's clock and Vault's, measured from the Date header of every answer (RFC 9110,
 * 6.6.1: whole seconds). A node whose clock is wrong then still judges certificates by the clock that dated them.
 */
import type { Clock } from '../clock.ts'
import { parseHttpDate } from './http-date.ts'

export interface SkewMeter {
  /** Takes the Date header of an answer that was asked for at `sentAtMs` (wall clock). */
  readonly observe: (date: string | undefined, sentAtMs: number) => void
  /** Vault's clock minus ours in milliseconds; undefined until measured, and again once our clock has jumped. */
  readonly measured: () => number | undefined
  /** The time by which certificates are judged: corrected where the difference is larger than its error. */
  readonly now: () => number
}

/** Whole seconds in the header and in certificates. */
const resolutionMs = 2000

/** A wall clock that moved this much against the monotonic clock has been set, and the measurement is void. */
const jumpMs = 2000

export function createSkewMeter(clock: Clock): SkewMeter {
  let measurement: { skewMs: number; errorMs: number; offsetMs: number } | undefined

  function current(): typeof measurement {
    if (measurement === undefined) return undefined
    const offsetMs = clock.now() - clock.monotonic()
    return Math.abs(offsetMs - measurement.offsetMs) > jumpMs ? undefined : measurement
  }

  return {
    measured: () => current()?.skewMs,
    observe: (date, sentAtMs) => {
      const serverMs = parseHttpDate(date)
      if (serverMs === undefined) return
      const nowMs = clock.now()
      // The header is cut to the second: on average the server's clock showed half a second more.
      const skewMs = serverMs + 500 - (sentAtMs + nowMs) / 2
      // The server may have written its date at any moment of a long wait.
      const errorMs = resolutionMs + Math.abs(nowMs - sentAtMs) / 2
      measurement = { skewMs, errorMs, offsetMs: nowMs - clock.monotonic() }
    },
    now: () => {
      const { skewMs, errorMs } = current() ?? { skewMs: 0, errorMs: 0 }
      return clock.now() + (Math.abs(skewMs) > errorMs ? skewMs : 0)
    },
  }
}

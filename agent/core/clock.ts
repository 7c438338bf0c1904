/** Owns time: the wall clock, the monotonic clock and a sleep that can be woken. Injected, so that tests own it too. */

export interface Clock {
  /** Milliseconds since the epoch, by this machine's wall clock. It may jump. */
  now(): number
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  monotonic(): number
  /** Resolves after `ms`, or as soon as `wake` aborts. Never rejects. */
  sleep(ms: number, wake: AbortSignal): Promise<void>
}

/** A time in ISO 8601. A wrong server may send a moment beyond all dates, which has no such text and must not end the process. */
export function isoTime(ms: number): string {
  return Number.isNaN(new Date(ms).getTime()) ? 'beyond all dates' : new Date(ms).toISOString()
}

/** The true time is between these, as far as anybody knows. In milliseconds since the epoch (vault/skew.ts). */
export interface SaneClocks {
  readonly earliestMs: number
  readonly latestMs: number
}

/** Now, by both clocks. */
export interface Moment {
  /** The corrected time (vault/skew.ts). */
  readonly wallMs: number
  /** The earliest that any sane clock says: what works then is not given up. */
  readonly earliestMs: number
  readonly mono: number
}

/** setTimeout fires after 1 ms when it is asked for more than 2^31-1 ms; certificates live longer than that. */
const longestTimerMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not performance.now(): its module takes a millisecond to load, before the first certificate.
  monotonic: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  sleep: (ms, wake) => sleepInParts(ms, wake, longestTimerMs),
}

/** As Clock.sleep, however long it is: no timer is asked for more than it can. */
export function sleepInParts(ms: number, wake: AbortSignal, mostMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (wake.aborted) return resolve()
    let timer: NodeJS.Timeout
    const done = () => {
      clearTimeout(timer)
      wake.removeEventListener('abort', done)
      resolve()
    }
    const wait = (leftMs: number) => {
      timer = setTimeout(leftMs > mostMs ? () => wait(leftMs - mostMs) : done, Math.min(Math.max(leftMs, 0), mostMs))
    }
    wait(ms)
    wake.addEventListener('abort', done)
  })
}

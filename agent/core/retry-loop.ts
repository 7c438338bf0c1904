/**
 * The one loop of everything that acts, waits and acts again: a step, the wait that the step asks for, and a wake that ends it.
 * What to do and how long to wait is the step's decision; failures that are expected are its matter too.
 */
import type { Clock } from './clock.ts'

export interface Loop {
  /** Runs until `stop`, or until a step answers `undefined`. Rejects only for bugs. */
  readonly run: (stop: AbortSignal) => Promise<void>
  /** The next step begins now. During a step: right after it. */
  readonly wake: () => void
}

/** @param step does what is due, and may end early once `stop` has come; answers the milliseconds for which there is nothing to do, or `undefined` at the end of all */
export function createLoop(
  clock: Clock,
  step: (stop: AbortSignal) => number | undefined | Promise<number | undefined>,
): Loop {
  let alarm = new AbortController()
  const wake = (): void => alarm.abort()

  return {
    wake,
    async run(stop) {
      stop.addEventListener('abort', wake)
      try {
        while (!stop.aborted) {
          // The alarm is older than the step: what comes meanwhile ends the wait before it begins.
          alarm = new AbortController()
          const waitMs = await step(stop)
          if (waitMs === undefined) return
          if (waitMs > 0) await clock.sleep(waitMs, alarm.signal)
          else await turnOfEventLoop()
        }
      } finally {
        stop.removeEventListener('abort', wake)
      }
    },
  }
}

/** Timers, signals and requests come through, however many steps follow each other at once. */
function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

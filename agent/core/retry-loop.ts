/**
 * The one loop of everything that acts, waits and acts again: a step, the wait that the step asks for, and a wake that ends it.
 * What to do and how long to wait is the step's decision, and so is how long to wait after a failure that is expected.
 */
import type { Clock } from './clock.ts'
import { AgentError } from './errors.ts'

export interface Loop {
  /** Runs until `stop`, or until a step answers `undefined`. Rejects only for bugs. */
  readonly run: (stop: AbortSignal) => Promise<void>
  /** The next step begins now. During a step: right after it. */
  readonly wake: () => void
}

export type LoopStep = (stop: AbortSignal) => number | undefined | Promise<number | undefined>

/**
 * @param step does what is due, and may end early once `stop` has come; answers the milliseconds for which there is nothing to do,
 *   or `undefined` at the end of all
 * @param failed answers how many milliseconds the next step waits after a failure; leave it out if the step never fails. What
 *   fails because the loop ends does not count, whatever it is
 */
export function createLoop(clock: Clock, step: LoopStep, failed?: (error: AgentError) => number): Loop {
  let alarm = new AbortController()
  const wake = (): void => alarm.abort()

  async function attempt(stop: AbortSignal): Promise<number | undefined> {
    try {
      return await step(stop)
    } catch (error) {
      if (failed === undefined) throw error
      if (stop.aborted) return 0
      if (!(error instanceof AgentError)) throw error
      return failed(error)
    }
  }

  return {
    wake,
    async run(stop) {
      stop.addEventListener('abort', wake)
      try {
        while (!stop.aborted) {
          // The alarm is older than the step: what comes meanwhile ends the wait before it begins.
          alarm = new AbortController()
          const waitMs = await attempt(stop)
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

/**
 * One call, made again until it succeeds.
 * @param failed answers how many milliseconds the next try waits, or throws if none is worth it
 */
export async function retryCall<Result>(
  clock: Clock,
  call: () => Promise<Result>,
  failed: (error: AgentError) => number,
): Promise<Result> {
  const { promise, resolve } = Promise.withResolvers<Result>()
  const step = async () => {
    resolve(await call())
    return undefined
  }
  await createLoop(clock, step, failed).run(new AbortController().signal)
  return await promise
}

/** Timers, signals and requests come through, however many steps follow each other at once. */
function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * Owns time for tests: a Clock whose wall and monotonic time only the test moves. Promises that a sleep ends in the very call
 * of `advance` that reaches its end (or when it is woken), and that `nextSleep` waits until the program sleeps again.
 */
import type { Clock } from '../../agent/core/clock.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export interface FakeClock extends Clock {
  /** Moves both times and ends the sleeps that are over. */
  advance(ms: number): void
  /** Sets the wall clock, as an operator or NTP would: monotonic time and sleeps know nothing of it. */
  setWall(epochMs: number): void
  /** Resolves as soon as `count` sleeps are under way, with the milliseconds until the first of them ends. */
  nextSleep(count?: number): Promise<number>
  /** Lets `ms` pass as they would: from sleep to sleep of the one sleeper, which is asleep again at the end. */
  pass(ms: number): Promise<void>
  /** How many sleeps are under way. */
  sleeping(): number
}

/** @param startMs wall time; a whole second by default, like the dates in certificates */
export function createFakeClock(startMs = Math.ceil(Date.now() / 1000) * 1000): FakeClock {
  let wallMs = startMs
  // Not 0: code that mistakes monotonic time for a date, or for "never", should be caught.
  let monotonicMs = 5_000_000
  const sleepers = new Set<Sleeper>()
  let waiting: { count: number; resolve: (ms: number) => void }[] = []

  const firstEnd = (): number => Math.min(...[...sleepers].map(({ until }) => until)) - monotonicMs

  function announce(): void {
    const ready = waiting.filter(({ count }) => sleepers.size >= count)
    waiting = waiting.filter((each) => !ready.includes(each))
    for (const { resolve } of ready) resolve(firstEnd())
  }

  const clock: FakeClock = {
    now: () => wallMs,
    monotonic: () => monotonicMs,
    sleep: (ms, wake) =>
      new Promise((resolve) => {
        if (wake.aborted) return resolve()
        const sleeper = {
          until: monotonicMs + Math.max(ms, 0),
          wake: () => {
            sleepers.delete(sleeper)
            wake.removeEventListener('abort', sleeper.wake)
            resolve()
          },
        }
        wake.addEventListener('abort', sleeper.wake)
        sleepers.add(sleeper)
        announce()
      }),
    advance: (ms) => {
      wallMs += ms
      monotonicMs += ms
      for (const { until, wake } of sleepers) if (until <= monotonicMs) wake()
    },
    setWall: (epochMs) => {
      wallMs = epochMs
    },
    nextSleep: (count = 1) =>
      new Promise((resolve) => {
        waiting.push({ count, resolve })
        announce()
      }),
    pass: async (ms) => {
      for (let leftMs = ms; leftMs > 0; ) {
        const stepMs = Math.min(await clock.nextSleep(), leftMs)
        clock.advance(stepMs)
        leftMs -= stepMs
      }
      await clock.nextSleep()
    },
    sleeping: () => sleepers.size,
  }
  return clock
}

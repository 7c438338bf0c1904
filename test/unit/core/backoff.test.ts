import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BackoffState, createRetries, type Failure, planRetry } from '../../../agent/core/backoff.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const classes = ['outage', 'refused', 'local', 'awaited'] as const

const random = fc.double({ min: 0, max: 1, noNaN: true })
const retryClass = fc.constantFrom(...classes)
const state: fc.Arbitrary<BackoffState | undefined> = fc.option(
  fc.record({ class: retryClass, failures: fc.integer({ min: 1, max: 1000 }) }),
  { nil: undefined },
)
const runwayMs = fc.oneof(
  fc.integer({ min: 1, max: 10 * minuteMs }),
  fc.integer({ min: 1, max: 365 * 24 * hourMs }),
  fc.double({ min: 1, max: 1e12, noNaN: true }),
)
const retryAfterMs = fc.option(fc.oneof(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 1e15 })), {
  nil: undefined,
})

/** The delays of failures in a row, all with the same chance. */
function delays(failure: Failure, count: number, chance = 0.5): number[] {
  const list: number[] = []
  let next: BackoffState | undefined
  for (let index = 0; index < count; index++) {
    const [delayMs, after] = planRetry(next, failure, chance)
    list.push(delayMs)
    next = after
  }
  return list
}

describe('planRetry', () => {
  it('tries quickly at first, then as the runway allows, at most an hour later', () => {
    const longRunwayMs = 8 * hourMs
    expect(delays({ class: 'outage', runwayMs: longRunwayMs }, 6)).toEqual([
      1000,
      5000,
      25_000,
      25_000 + (hourMs - 25_000) / 2,
      hourMs,
      hourMs,
    ])
    expect(delays({ class: 'refused', runwayMs: longRunwayMs }, 2)).toEqual([5000, 30_000])
    expect(delays({ class: 'local', runwayMs: longRunwayMs }, 2)).toEqual([2000, 10_000])
    expect(delays({ class: 'outage', runwayMs: 40 * minuteMs }, 6).at(-1)).toBe(10 * minuteMs)
  })

  it('spreads the quick tries and the first long wait, and shortens no other wait by chance', () => {
    const failure: Failure = { class: 'outage', runwayMs: 8 * hourMs }
    expect(delays(failure, 4, 0)).toEqual([500, 2500, 12_500, 25_000])
    expect(delays(failure, 4, 1)).toEqual([1500, 7500, 37_500, hourMs])
    for (const chance of [0, 0.3, 1]) expect(delays(failure, 7, chance).slice(4)).toEqual([hourMs, hourMs, hourMs])
  })

  it('always waits, and never longer than an hour', () => {
    const anyRunwayMs = fc.oneof(runwayMs, fc.integer({ min: -1e13, max: 0 }))
    fc.assert(
      fc.property(state, retryClass, anyRunwayMs, retryAfterMs, random, (before, kind, left, asked, chance) => {
        const [delayMs] = planRetry(before, { class: kind, runwayMs: left, retryAfterMs: asked }, chance)
        expect(delayMs).toBeGreaterThanOrEqual(500)
        expect(delayMs).toBeLessThanOrEqual(hourMs)
      }),
    )
  })

  it('fits more tries into what is left, whatever the server asks to wait', () => {
    fc.assert(
      fc.property(state, retryClass, runwayMs, retryAfterMs, random, (before, kind, left, asked, chance) => {
        const [delayMs] = planRetry(before, { class: kind, runwayMs: left, retryAfterMs: asked }, chance)
        expect(delayMs).toBeLessThanOrEqual(Math.max(left / 4, 1000))
      }),
    )
  })

  it.each([
    ['a minute', minuteMs, 60],
    ['an hour', hourMs, 60],
    ['8.4 hours', 8.4 * hourMs, 60],
    ['30 days', 30 * 24 * hourMs, 800],
  ])('tries until the last second of %s of runway, but no more than needed', (_, wholeMs, most) => {
    for (const asked of [undefined, 10 * wholeMs]) {
      let before: BackoffState | undefined
      let leftMs = wholeMs
      let tries = 0
      for (; leftMs > 1000; tries++) {
        const [delayMs, after] = planRetry(before, { class: 'outage', runwayMs: leftMs, retryAfterMs: asked }, 0.9)
        before = after
        leftMs -= delayMs
        expect(tries).toBeLessThan(most)
      }
      expect(leftMs).toBeGreaterThanOrEqual(0)
      expect(tries).toBeGreaterThan(8)
    }
  })

  it('hears Retry-After as far as the runway goes', () => {
    const withAsked = (left: number, asked: number) =>
      planRetry(undefined, { class: 'outage', runwayMs: left, retryAfterMs: asked }, 0)[0]
    expect(withAsked(8 * hourMs, 20 * minuteMs)).toBe(20 * minuteMs)
    expect(withAsked(8 * hourMs, 1e12)).toBe(0.9 * hourMs)
    expect(withAsked(40 * minuteMs, 20 * minuteMs)).toBe(9 * minuteMs)
    expect(withAsked(0, 2 * minuteMs)).toBe(2 * minuteMs)
    expect(withAsked(0, hourMs)).toBe(4.5 * minuteMs)
  })

  it('does not come sooner because the server has asked to wait', () => {
    fc.assert(
      fc.property(state, retryClass, runwayMs, retryAfterMs, random, (before, kind, left, asked, chance) => {
        const failure = { class: kind, runwayMs: left }
        const [plain] = planRetry(before, failure, chance)
        expect(planRetry(before, { ...failure, retryAfterMs: asked }, chance)[0]).toBeGreaterThanOrEqual(plain)
      }),
    )
  })

  it('waits longer with every failure and with more runway', () => {
    fc.assert(
      fc.property(retryClass, runwayMs, runwayMs, (kind, one, other) => {
        const shorter = delays({ class: kind, runwayMs: Math.min(one, other) }, 8)
        const longer = delays({ class: kind, runwayMs: Math.max(one, other) }, 8)
        expect(shorter).toEqual(shorter.toSorted((first, second) => first - second))
        for (const [index, delayMs] of shorter.entries()) expect(delayMs).toBeLessThanOrEqual(longer[index] ?? 0)
      }),
    )
  })

  it('keeps trying twice a minute without a certificate', () => {
    for (const left of [0, -1, -Date.now()]) {
      for (const kind of ['outage', 'refused', 'local'] as const)
        expect(delays({ class: kind, runwayMs: left }, 9, 1).at(-1)).toBe(30_000)
    }
  })

  it('looks every few seconds for what is awaited, and within five minutes where a certificate serves meanwhile', () => {
    expect(delays({ class: 'awaited', runwayMs: 0 }, 6)).toEqual([1000, 2000, 5000, 7500, 10_000, 10_000])
    expect(Math.max(...delays({ class: 'awaited', runwayMs: 8 * hourMs }, 9, 1))).toBe(5 * minuteMs)
  })

  it('looks within five minutes for what this node lacks', () => {
    expect(Math.max(...delays({ class: 'local', runwayMs: 8 * hourMs }, 9, 1))).toBe(5 * minuteMs)
  })

  it('starts again when the class changes', () => {
    const before: BackoffState = { class: 'outage', failures: 7 }
    const failure = { runwayMs: 8 * hourMs } as const
    expect(planRetry(before, { ...failure, class: 'outage' }, 0.5)[1]).toEqual({ class: 'outage', failures: 8 })
    expect(planRetry(before, { ...failure, class: 'local' }, 0.5)).toEqual([2000, { class: 'local', failures: 1 }])
  })
})

it('retries of one thing are further and further apart, until it works', () => {
  const retries = createRetries(() => 0.5)
  const error = { retry: 'outage' } as const
  const waits = [1, 2, 3].map(() => retries.delayMs(error, hourMs))
  expect(waits).toEqual([1000, 5000, 25_000])
  retries.reset()
  expect(retries.delayMs(error, hourMs)).toBe(1000)
  expect(retries.delayMs({ ...error, retryAfterMs: 60_000 }, hourMs)).toBeGreaterThanOrEqual(60_000)
})

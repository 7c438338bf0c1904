import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planBudget, planIssuance, planRecent, windowMs } from '../../../agent/sidecar/budget.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const minuteMs = 60_000
const never = Number.POSITIVE_INFINITY

describe('the default', () => {
  test.each([
    ['a day', 86_400_000, 12],
    ['an hour', 3_600_000, 12],
    ['ten minutes', 600_000, 37],
    ['fifteen seconds', 15_000, 1477],
  ])('for %s', (_what, lifetimeMs, limit) => {
    expect(planBudget(lifetimeMs, 0.65)).toBe(limit)
  })
})

describe('what counts', () => {
  test('is what was made within the hour, in order', () => {
    expect(planRecent([now - 1, now - windowMs, now - 2, now - windowMs + 1], now)).toEqual([
      now - windowMs + 1,
      now - 2,
      now - 1,
    ])
  })

  test('in the future counts from now on', () => {
    expect(planRecent([now + 1e15, now + 1], now)).toEqual([now, now])
  })
})

describe('a certificate', () => {
  const made = [now - 50 * minuteMs, now - 30 * minuteMs, now - 10 * minuteMs]
  const wait = (limit: number, neededAtMs: number, at = now): number =>
    planIssuance(planRecent(made, at), { limit, nowMs: at, neededAtMs }) / minuteMs

  test('may be made at once while the budget lasts', () => {
    expect(wait(4, never)).toBe(0)
  })

  test('waits for the oldest to leave the hour', () => {
    expect(wait(3, never)).toBe(10)
    expect(wait(2, never)).toBe(30)
    expect(wait(3, never, now + 10 * minuteMs)).toBe(0)
  })

  test('that is needed waits only for its share of the hour', () => {
    expect(wait(3, 0)).toBe(10)
    expect(wait(2, 0)).toBe(20)
    expect(wait(2, 0, now + 20 * minuteMs)).toBe(0)
  })

  test('waits until it is needed, where that comes first', () => {
    expect(wait(1, now + 52 * minuteMs)).toBe(50)
    expect(wait(2, now + 25 * minuteMs)).toBe(25)
  })

  test('may always be made without a limit', () => {
    expect(wait(Number.POSITIVE_INFINITY, never)).toBe(0)
  })
})

describe('whoever asks, however often', () => {
  const context = fc.record({
    limit: fc.integer({ min: 1, max: 30 }),
    stepsMs: fc.array(fc.integer({ min: 1, max: 20 * minuteMs }), { minLength: 1, maxLength: 300 }),
    isNeeded: fc.boolean(),
  })

  test('gets at most the limit in any hour, and at most twice of it where certificates are needed', () => {
    fc.assert(
      fc.property(context, ({ limit, stepsMs, isNeeded }) => {
        let nowMs = now
        const made: number[] = []
        for (const stepMs of stepsMs) {
          nowMs += stepMs
          const neededAtMs = isNeeded ? 0 : never
          if (planIssuance(planRecent(made, nowMs), { limit, nowMs, neededAtMs }) === 0) made.push(nowMs)
          const { length } = made.filter((ms) => ms > nowMs - windowMs)
          expect(length).toBeLessThanOrEqual(isNeeded ? 2 * limit : limit)
        }
      }),
    )
  })

  test('never waits for longer than the hour, nor longer than its share of it where one is needed', () => {
    const anyTime = fc.integer({ min: 0, max: 4 * now })
    fc.assert(
      fc.property(fc.array(anyTime), fc.integer({ min: 1, max: 30 }), fc.boolean(), (made, limit, isNeeded) => {
        const recent = planRecent(made, now)
        const waitMs = planIssuance(recent, { limit, nowMs: now, neededAtMs: isNeeded ? 0 : never })
        expect(waitMs).toBeGreaterThanOrEqual(0)
        // Sums of milliseconds since the epoch and of fractions are exact to a thousandth.
        expect(waitMs).toBeLessThanOrEqual((isNeeded ? windowMs / limit : windowMs) + 0.001)
        // Having waited for as long as was said, nobody is sent away again.
        const later = now + waitMs
        expect(planIssuance(planRecent(recent, later), { limit, nowMs: later, neededAtMs: isNeeded ? 0 : never })).toBe(
          0,
        )
      }),
    )
  })
})

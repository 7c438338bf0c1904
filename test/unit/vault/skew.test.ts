import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { createSkewMeter, type SkewMeter } from '../../../agent/vault/skew.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'

const startMs = Date.parse('2026-11-21T00:00:00Z')
let clock: FakeClock
let skew: SkewMeter

beforeEach(() => {
  clock = createFakeClock(startMs)
  skew = createSkewMeter(clock)
})

const httpDate = (ms: number): string => new Date(ms).toUTCString()

/** An answer that took `tripMs`, of a server whose clock is ahead by `aheadMs` and that writes its date `written` into the trip. */
function observe(aheadMs: number, tripMs = 2, written = 0.5): void {
  const sentAtMs = clock.now()
  clock.advance(tripMs)
  skew.observe(httpDate(Math.floor((sentAtMs + tripMs * written + aheadMs) / 1000) * 1000), sentAtMs)
}

test('before the first answer the clock is believed', () => {
  expect(skew.measured()).toBeUndefined()
  expect(skew.now()).toBe(startMs)
})

test('a small difference is told and not corrected', () => {
  observe(1000)
  expect(skew.measured()).toBeCloseTo(1500, -2)
  expect(skew.now()).toBe(clock.now())
})

test.each([3_600_000, -3_600_000, 10_000, -10_000])('a difference of %d ms is corrected', (aheadMs) => {
  observe(aheadMs)
  expect(Math.abs(skew.now() - clock.now() - aheadMs)).toBeLessThanOrEqual(1000)
  clock.advance(86_400_000)
  expect(Math.abs(skew.now() - clock.now() - aheadMs)).toBeLessThanOrEqual(1000)
})

test('the newest answer counts', () => {
  observe(3_600_000)
  observe(0)
  expect(skew.now()).toBe(clock.now())
})

describe('a wall clock that is set', () => {
  test.each([3_600_000, -3_600_000])('by %d ms voids the measurement until the next answer', (jumpMs) => {
    observe(3_600_000)
    clock.setWall(clock.now() + jumpMs)
    expect(skew.measured()).toBeUndefined()
    expect(skew.now()).toBe(clock.now())
    observe(60_000)
    expect(Math.abs(skew.now() - clock.now() - 60_000)).toBeLessThanOrEqual(1000)
  })

  test('a little, as NTP slews it, voids nothing', () => {
    observe(3_600_000)
    clock.setWall(clock.now() + 1500)
    expect(skew.measured()).toBeDefined()
  })

  test('in the middle of a request does not make a difference of its own', () => {
    const sentAtMs = clock.now()
    clock.setWall(sentAtMs + 3_600_000)
    skew.observe(httpDate(clock.now()), sentAtMs)
    expect(skew.now()).toBe(clock.now())
  })
})

test.each(['', 'soon', '-1', '0', '1795219200', 'Thu, 99 Foo 2026 99:99:99 GMT', undefined])(
  'no date: %j changes nothing',
  (date) => {
    observe(3_600_000)
    const before = skew.measured()
    skew.observe(date, clock.now())
    expect(skew.measured()).toBe(before)
  },
)

test('property: a right clock is never corrected, however slow the answer and whenever it was dated', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (tripMs, written) => {
      observe(0, tripMs, written)
      expect(skew.now()).toBe(clock.now())
    }),
  )
})

test('property: a correction is off by no more than the length of the trip and a second', () => {
  const ahead = fc.integer({ min: -1e9, max: 1e9 })
  fc.assert(
    fc.property(
      ahead,
      fc.integer({ min: 0, max: 60_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (aheadMs, tripMs, at) => {
        observe(aheadMs, tripMs, at)
        const correctedMs = skew.now() - clock.now()
        const toleratedMs = correctedMs === 0 ? tripMs + 3000 : tripMs / 2 + 1000
        expect(Math.abs(correctedMs - aheadMs)).toBeLessThanOrEqual(toleratedMs)
      },
    ),
  )
})

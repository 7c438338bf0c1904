import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import { createSkewMeter, type Evidence, type SkewMeter } from '../../../agent/vault/skew.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'

const startMs = Date.parse('2026-11-21T00:00:00Z')
const hourMs = 3_600_000
let clock: FakeClock
let skew: SkewMeter
let events: AgentEvent[]

beforeEach(() => {
  clock = createFakeClock(startMs)
  events = []
  skew = createSkewMeter(clock, (event) => void events.push(event))
})

/** An answer that took `tripMs`, of a Vault that is ahead by `aheadMs` and looked at its clock `written` into the trip. */
function observe(aheadMs: number, { tripMs = 2, written = 0.5, beforeMs = 1000, afterMs = 1000 } = {}): void {
  const vaultMs = clock.now() + tripMs * written + aheadMs
  const tell = skew.asking()
  clock.advance(tripMs)
  tell({ earliestMs: vaultMs - beforeMs, latestMs: vaultMs + afterMs })
}

test('before the first evidence the clock is believed', () => {
  expect(skew.measured()).toBeUndefined()
  expect(skew.now()).toBe(startMs)
  expect(skew.clocks()).toEqual({ earliestMs: startMs, latestMs: startMs })
})

test('what agrees with our clock corrects nothing, and is told', () => {
  observe(900)
  expect(skew.measured()).toBe(0)
  expect(skew.now()).toBe(clock.now())
  expect(events).toEqual([{ type: 'clock-skew', skewMs: 0 }])
})

test.each([hourMs, -hourMs, 10_000, -10_000])(
  'a difference of %d ms is corrected, and both clocks stay sane',
  (aheadMs) => {
    observe(aheadMs)
    for (const passMs of [0, 86_400_000]) {
      clock.advance(passMs)
      expect(Math.abs(skew.now() - clock.now() - aheadMs)).toBeLessThanOrEqual(1002)
      const { earliestMs, latestMs } = skew.clocks()
      expect([earliestMs, latestMs]).toEqual([skew.now(), clock.now()].toSorted((one, other) => one - other))
    }
  },
)

test('what is newer and contradicts counts', () => {
  observe(hourMs)
  observe(0)
  expect(skew.now()).toBe(clock.now())
  expect(skew.measured()).toBe(0)
})

test('a token that lives for an hour does not blur what a certificate has said', () => {
  observe(600_000)
  const exact = skew.measured()
  observe(0, { beforeMs: hourMs, afterMs: hourMs })
  expect(skew.measured()).toBe(exact)
})

test('alone it corrects what lies outside of its life', () => {
  observe(24 * hourMs, { beforeMs: 1000, afterMs: hourMs })
  expect(skew.measured()).toBe(24 * hourMs - 1001)
  observe(0, { beforeMs: 1000, afterMs: hourMs })
  expect(skew.measured()).toBe(0)
})

test.each([
  { earliestMs: Number.NaN, latestMs: 5 },
  { earliestMs: 5, latestMs: Number.NaN },
  { earliestMs: startMs + hourMs, latestMs: startMs },
])('nonsense changes nothing: %j', (evidence) => {
  skew.asking()(evidence)
  skew.asking()(undefined)
  expect(skew.measured()).toBeUndefined()
  expect(events).toEqual([])
})

describe('a wall clock that is set', () => {
  test.each([hourMs, -hourMs])(
    'by %d ms: what Vault said still counts, the later clock plans, until Vault speaks again',
    (jumpMs) => {
      observe(0)
      const trueMs = clock.now()
      clock.setWall(trueMs + jumpMs)
      expect(Math.abs((skew.measured() ?? 0) + jumpMs)).toBeLessThanOrEqual(1002)
      expect(Math.abs(skew.now() - Math.max(trueMs, clock.now()))).toBeLessThanOrEqual(1002)
      const { earliestMs, latestMs } = skew.clocks()
      expect(Math.abs(earliestMs - Math.min(trueMs, clock.now()))).toBeLessThanOrEqual(1002)
      expect(Math.abs(latestMs - Math.max(trueMs, clock.now()))).toBeLessThanOrEqual(1002)

      observe(-jumpMs)
      expect(Math.abs(skew.now() - trueMs)).toBeLessThanOrEqual(1010)
    },
  )

  test('is settled also by an answer that only confirms what was known', () => {
    observe(0)
    const trueMs = clock.now()
    clock.setWall(trueMs + hourMs)
    observe(-hourMs, { beforeMs: 60_000, afterMs: 60_000 })
    expect(Math.abs(skew.now() - trueMs)).toBeLessThanOrEqual(1010)
  })

  test('after a sleep, in which the monotonic clock stood still: the wall clock plans, and Vault confirms it', () => {
    observe(0)
    clock.setWall(clock.now() + 72 * hourMs)
    expect(skew.now()).toBe(clock.now())
    observe(0)
    expect(skew.measured()).toBe(0)
    expect(skew.clocks()).toEqual({ earliestMs: clock.now(), latestMs: clock.now() })
  })

  test('after a sleep, a login with a token that lives for a year settles nothing: the wall clock goes on planning', () => {
    observe(0)
    clock.setWall(clock.now() + 10 * hourMs)
    observe(0, { beforeMs: 20 * hourMs, afterMs: 8760 * hourMs })
    expect(skew.now()).toBe(clock.now())
    observe(0)
    expect(skew.measured()).toBe(0)
  })

  test('in the middle of a request does not make a difference of its own', () => {
    const tell = skew.asking()
    clock.setWall(clock.now() + hourMs)
    tell({ earliestMs: clock.now() - 1000, latestMs: clock.now() + 1000 })
    expect(skew.now()).toBe(clock.now())
  })
})

const ahead = fc.integer({ min: -1e10, max: 1e10 })
const trip = fc.record({
  tripMs: fc.integer({ min: 0, max: 600_000 }),
  written: fc.double({ min: 0, max: 1, noNaN: true }),
  beforeMs: fc.integer({ min: 0, max: 7_200_000 }),
  afterMs: fc.integer({ min: 0, max: 7_200_000 }),
})

test('property: a right clock is never corrected, however vague and late the evidence', () => {
  fc.assert(
    fc.property(fc.array(trip, { maxLength: 5 }), (trips) => {
      for (const each of trips) observe(0, each)
      expect(Math.abs(skew.now() - clock.now())).toBeLessThan(0.01)
    }),
  )
})

test('property: whatever is true of both clocks, ours and that of Vault are between the sane ones, within what the evidence leaves open', () => {
  fc.assert(
    fc.property(ahead, fc.array(trip, { minLength: 1, maxLength: 5 }), (aheadMs, trips) => {
      const meter = createSkewMeter(clock, () => {})
      for (const { tripMs, written, beforeMs, afterMs } of trips) {
        const vaultMs = clock.now() + tripMs * written + aheadMs
        const tell = meter.asking()
        clock.advance(tripMs)
        const evidence: Evidence = { earliestMs: vaultMs - beforeMs, latestMs: vaultMs + afterMs }
        tell(evidence)
      }
      const openMs = Math.max(...trips.map(({ tripMs, beforeMs, afterMs }) => tripMs + beforeMs + afterMs))
      const { earliestMs, latestMs } = meter.clocks()
      expect(earliestMs).toBeLessThanOrEqual(clock.now())
      expect(latestMs).toBeGreaterThanOrEqual(clock.now())
      expect(Math.abs(meter.now() - (clock.now() + aheadMs))).toBeLessThanOrEqual(
        Math.min(openMs, Math.abs(aheadMs)) + 0.01,
      )
    }),
  )
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deferAfterOutage, planPoll, planRenewal, slotOf } from '../../../agent/sidecar/schedule.ts'
import { pollEveryMs } from '../../../agent/sidecar/source/pki.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const issuedAtMs = Date.UTC(2026, 2, 1, 12, 34, 56, 789)
const backdatingMs = 30_000

/** As Vault dates a certificate: both ends are cut to whole seconds. */
function issue(ttlMs: number, atMs = issuedAtMs, backdatedMs = backdatingMs) {
  const cut = (ms: number): number => Math.floor(ms / 1000) * 1000
  return { notBeforeMs: cut(atMs - backdatedMs), notAfterMs: cut(atMs + ttlMs) }
}

const lifetimes = [
  ['15 s', 15_000],
  ['60 s', minuteMs],
  ['1 h', hourMs],
  ['24 h', dayMs],
  ['30 d', 30 * dayMs],
] as const
/** Evenly from 0 to 1. */
const slots = Array.from({ length: 2000 }, (_, index) => index / 2000)

const slot = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const renewAt = fc.double({ min: 0.3, max: 0.85, noNaN: true })
const at = fc.date({ min: new Date('2024-01-01'), max: new Date('2080-01-01'), noInvalidDate: true })
const ttlMs = fc.oneof(
  fc.constantFrom(...lifetimes.map(([, ms]) => ms)),
  fc.integer({ min: 5000, max: hourMs }),
  fc.integer({ min: 5000, max: 3650 * dayMs }),
)

describe('slotOf', () => {
  it('never changes: another value would renew a whole fleet at another time', () => {
    expect(slotOf({ cluster: '', node: 'node-a', component: 'calico-node' })).toBe(0.45992230299423653)
    expect(slotOf({ cluster: 'blue', node: 'node-a', component: 'calico-node' })).toBe(0.4031652427739658)
  })

  it('tells apart what differs, wherever a name ends', () => {
    const slotsOf = [
      slotOf({ cluster: 'a', node: 'bc', component: 'd' }),
      slotOf({ cluster: 'ab', node: 'c', component: 'd' }),
      slotOf({ cluster: 'a', node: 'b', component: 'cd' }),
    ]
    expect(new Set(slotsOf).size).toBe(3)
  })

  it('spreads nodes evenly', () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < 10_000; index++) {
      const tenth = Math.floor(10 * slotOf({ cluster: '', node: `node-${index}`, component: 'calico-node' }))
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })
})

describe('planRenewal', () => {
  it('renews after the issue and at or before the floor, whatever is left, however it was backdated', () => {
    const backdated = fc.oneof(fc.constant(backdatingMs), fc.integer({ min: 0, max: 2 * hourMs }))
    fc.assert(
      fc.property(ttlMs, backdated, at, slot, renewAt, (ttl, back, date, where, fraction) => {
        const validity = issue(ttl, date.getTime(), back)
        const plan = planRenewal(validity, date.getTime(), where, fraction)
        expect(plan.renewAtMs).toBeGreaterThan(date.getTime())
        expect(plan.renewAtMs).toBeLessThanOrEqual(plan.floorMs)
        expect(plan.floorMs).toBeLessThan(validity.notAfterMs)
      }),
      { numRuns: 2000 },
    )
  })

  it('needs no sense in what it is given', () => {
    const anyMs = fc.integer({ min: 0, max: 4e12 })
    fc.assert(
      fc.property(anyMs, anyMs, anyMs, slot, renewAt, (notBeforeMs, notAfterMs, issued, where, fraction) => {
        const plan = planRenewal({ notBeforeMs, notAfterMs }, issued, where, fraction)
        expect(plan.renewAtMs).toBeLessThanOrEqual(plan.floorMs)
        expect(plan.floorMs).toBeLessThanOrEqual(notAfterMs)
        expect(plan.renewAtMs).toBeGreaterThanOrEqual(Math.min(notBeforeMs, notAfterMs))
      }),
    )
  })

  it.each(lifetimes)('spreads renewals evenly over the period: %s', (_, ttl) => {
    const periodMs = ttl * 0.65
    const tenths = Array.from({ length: 10 }, () => 0)
    for (const where of slots) {
      const { renewAtMs } = planRenewal(issue(ttl), issuedAtMs, where, 0.65)
      const tenth = Math.floor(((renewAtMs - issuedAtMs) / periodMs - 0.05) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    expect(tenths).toHaveLength(10)
    for (const count of tenths) expect(Math.abs(count - slots.length / 10)).toBeLessThanOrEqual(1)
  })

  it.each(lifetimes)('keeps the slot when the dates differ by a second: %s', (_, ttl) => {
    const { notBeforeMs, notAfterMs } = issue(ttl)
    for (const [before, after] of [
      [-1000, 0],
      [1000, 0],
      [0, -1000],
      [0, 1000],
    ] as const) {
      const other = { notBeforeMs: notBeforeMs + before, notAfterMs: notAfterMs + after }
      const moved = slots.filter((where) => {
        const plan = planRenewal({ notBeforeMs, notAfterMs }, issuedAtMs, where, 0.65)
        return planRenewal(other, issuedAtMs, where, 0.65).renewAtMs !== plan.renewAtMs
      })
      // The window of all slots may begin a second later: what lay in that second comes a period later.
      expect(moved.length).toBeLessThanOrEqual(Math.ceil((1000 / (ttl * 0.65)) * slots.length) + 1)
    }
  })

  it.each(lifetimes.slice(2))(
    'plans the same after a restart, which does not know the moment of the issue: %s',
    (_, ttl) => {
      const validity = issue(ttl)
      const moved = slots.filter((where) => {
        const plan = planRenewal(validity, issuedAtMs, where, 0.65)
        return planRenewal(validity, validity.notBeforeMs, where, 0.65).renewAtMs !== plan.renewAtMs
      })
      // Dates are whole seconds: what lies in the fraction is renewed sooner.
      expect(moved.length).toBeLessThanOrEqual(1)
    },
  )

  it.each(lifetimes)('renews once in a period, always at the same moment of it: %s', (_, ttl) => {
    fc.assert(
      fc.property(
        slot,
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 5, maxLength: 5 }),
        (where, latencies) => {
          let plan = planRenewal(issue(ttl), issuedAtMs, where, 0.65)
          for (const latencyMs of latencies) {
            const nowMs = plan.renewAtMs + latencyMs
            const next = planRenewal(issue(ttl, nowMs), nowMs, where, 0.65)
            expect(next.renewAtMs - plan.renewAtMs).toBeCloseTo(ttl * 0.65, 0)
            plan = next
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('leaves a third of the life at a regular renewal, and out of rhythm hardly less', () => {
    for (const where of slots) {
      const validity = issue(dayMs)
      const { renewAtMs } = planRenewal(validity, issuedAtMs, where, 0.65)
      expect(validity.notAfterMs - renewAtMs).toBeGreaterThan(0.31 * dayMs)
    }
  })

  it('accelerates toward the end of an issuer that truncates, but does not race', () => {
    fc.assert(
      fc.property(slot, renewAt, (where, fraction) => {
        const endMs = Math.floor((issuedAtMs + dayMs) / 1000) * 1000
        let nowMs = issuedAtMs
        let renewals = 0
        // The gate refuses what has less than a minute left.
        for (; endMs - nowMs > minuteMs; renewals++) {
          const plan = planRenewal({ ...issue(dayMs, nowMs), notAfterMs: endMs }, nowMs, where, fraction)
          expect(plan.renewAtMs).toBeLessThanOrEqual(plan.floorMs)
          expect(renewals).toBeLessThan(60)
          nowMs = plan.renewAtMs
        }
      }),
    )
  })

  it('spreads what is published late over what is left', () => {
    const lateMs = issuedAtMs + 20 * hourMs
    const plans = slots.map((where) => planRenewal(issue(dayMs), lateMs, where, 0.65))
    for (const { renewAtMs, floorMs } of plans) {
      expect(renewAtMs).toBeGreaterThan(lateMs + 5 * minuteMs)
      expect(renewAtMs).toBeLessThanOrEqual(floorMs)
    }
    expect(plans.filter(({ renewAtMs, floorMs }) => floorMs - renewAtMs < minuteMs).length).toBeLessThan(20)
  })
})

describe('deferAfterOutage', () => {
  const plan = { renewAtMs: issuedAtMs, floorMs: issuedAtMs + 5 * hourMs }

  it('puts a renewal off by an hour when Vault was down within the two hours before', () => {
    expect(deferAfterOutage(plan, undefined)).toBe(plan.renewAtMs)
    expect(deferAfterOutage(plan, plan.renewAtMs - 2 * hourMs)).toBe(plan.renewAtMs)
    expect(deferAfterOutage(plan, plan.renewAtMs - 2 * hourMs + 1)).toBe(plan.renewAtMs + hourMs)
    expect(deferAfterOutage(plan, plan.renewAtMs + 30 * minuteMs)).toBe(plan.renewAtMs + hourMs)
  })

  it('never goes further than half-way to the floor, nor before the plan', () => {
    fc.assert(
      fc.property(ttlMs, slot, renewAt, fc.integer({ min: -4e12, max: 4e12 }), (ttl, where, fraction, sinceMs) => {
        const planned = planRenewal(issue(ttl), issuedAtMs, where, fraction)
        const atMs = deferAfterOutage(planned, issuedAtMs + sinceMs)
        expect(atMs).toBeGreaterThanOrEqual(planned.renewAtMs)
        expect(atMs).toBeLessThanOrEqual(planned.renewAtMs + (planned.floorMs - planned.renewAtMs) / 2)
      }),
    )
  })
})

describe('when the source is polled', () => {
  const now = 1_000_000

  it.each([
    [24 * hourMs, hourMs],
    [7 * 24 * hourMs, hourMs],
    [12 * hourMs, hourMs / 2],
    [60_000, 10_000],
    [1, 10_000],
  ])('a lifetime of %d ms makes an interval of %d ms', (lifetimeMs, intervalMs) => {
    const first = planPoll(pollEveryMs(lifetimeMs), 0.25, now)
    expect(planPoll(pollEveryMs(lifetimeMs), 0.25, first) - first).toBeCloseTo(intervalMs, 3)
  })

  it('property: always ahead, at most an interval, and at the same slot whenever it is asked', () => {
    const lifetime = fc.integer({ min: 0, max: 10 * 365 * 24 * hourMs })
    fc.assert(
      fc.property(lifetime, slot, fc.integer({ min: 0, max: 4e12 }), (lifetimeMs, share, nowMs) => {
        const intervalMs = Math.min(Math.max(lifetimeMs / 24, 10_000), hourMs)
        const pollAtMs = planPoll(pollEveryMs(lifetimeMs), share, nowMs)
        expect(pollAtMs).toBeGreaterThan(nowMs - 1)
        expect(pollAtMs).toBeLessThanOrEqual(nowMs + intervalMs + 1)
        const phase = (pollAtMs / intervalMs - share) % 1
        expect(Math.min(phase, 1 - phase)).toBeLessThan(1e-4)
      }),
    )
  })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planPoll, planStep, type Step, type TargetState } from '../../../agent/rotation/next-step.ts'
import { lookEveryMs } from '../../../agent/source/pki.ts'

const now = 1_000_000
const idle: TargetState = { renewAtMs: now + 500, requested: undefined, retryAtMs: undefined, pollAtMs: now + 300 }

describe('what is done next', () => {
  test.each<[string, Partial<TargetState>, Step]>([
    ['nothing is due', {}, { do: 'wait', untilMs: now + 300 }],
    ['the renewal comes first', { pollAtMs: now + 900 }, { do: 'wait', untilMs: now + 500 }],
    ['nothing is published', { renewAtMs: undefined }, { do: 'renew', reason: 'never-published' }],
    ['the slot has come', { renewAtMs: now }, { do: 'renew', reason: 'renewal-due' }],
    ['the slot is over', { renewAtMs: now - 9 }, { do: 'renew', reason: 'renewal-due' }],
    ['something was asked for', { requested: 'issuer-removed' }, { do: 'renew', reason: 'issuer-removed' }],
    [
      'the request says more than that nothing is published',
      { renewAtMs: undefined, requested: 'wrong-name' },
      { do: 'renew', reason: 'wrong-name' },
    ],
    ['the issuers are due', { pollAtMs: now }, { do: 'poll' }],
    ['both are due', { pollAtMs: 0, renewAtMs: now }, { do: 'renew', reason: 'renewal-due' }],
    ['due, but it failed', { renewAtMs: 0, retryAtMs: now + 50 }, { do: 'wait', untilMs: now + 50 }],
    ['asked for, but it failed', { requested: 'expired', retryAtMs: now + 50 }, { do: 'wait', untilMs: now + 50 }],
    ['failed, issuers due too', { renewAtMs: 0, retryAtMs: now + 50, pollAtMs: 0 }, { do: 'wait', untilMs: now + 50 }],
    ['time for another try', { renewAtMs: now, retryAtMs: now }, { do: 'renew', reason: 'renewal-due' }],
    ['failed at something else', { retryAtMs: now + 50 }, { do: 'wait', untilMs: now + 300 }],
  ])('%s', (_name, state, step) => {
    expect(planStep({ ...idle, ...state }, now)).toEqual(step)
  })

  const moment = fc.integer({ min: 0, max: 2_000_000 })
  const states = fc.record({
    renewAtMs: fc.option(moment, { nil: undefined }),
    requested: fc.constantFrom(undefined, 'renewal-requested' as const),
    retryAtMs: fc.option(moment, { nil: undefined }),
    pollAtMs: moment,
  })

  test('property: a wait ends in the future, and before nothing that is due', () => {
    fc.assert(
      fc.property(states, (state) => {
        const step = planStep(state, now)
        const untilMs = step.do === 'wait' ? step.untilMs : Number.POSITIVE_INFINITY
        expect(untilMs).toBeGreaterThan(now)
        const awaited = [state.renewAtMs, state.retryAtMs, state.pollAtMs, Number.POSITIVE_INFINITY]
        expect(awaited).toContain(untilMs)
      }),
    )
  })

  test('property: no attempt before its retry, and none that is not due', () => {
    fc.assert(
      fc.property(states, (state) => {
        const isRenewal = planStep(state, now).do === 'renew'
        const isDue = state.requested !== undefined || (state.renewAtMs ?? 0) <= now
        expect(isRenewal).toBe(isDue && (state.retryAtMs ?? 0) <= now)
      }),
    )
  })

  test('property: something is done after at most three waits', () => {
    fc.assert(
      fc.property(states, (state) => {
        const steps: string[] = []
        for (let step = planStep(state, now); steps.length < 4; ) {
          steps.push(step.do)
          step = step.do === 'wait' ? planStep(state, step.untilMs) : step
        }
        expect(steps.at(-1)).not.toBe('wait')
      }),
    )
  })
})

describe('when the issuers are looked at', () => {
  const hourMs = 3_600_000

  test.each([
    [24 * hourMs, hourMs],
    [7 * 24 * hourMs, hourMs],
    [12 * hourMs, hourMs / 2],
    [60_000, 10_000],
    [1, 10_000],
  ])('a lifetime of %d ms makes an interval of %d ms', (lifetimeMs, intervalMs) => {
    const first = planPoll(lookEveryMs(lifetimeMs), 0.25, now)
    expect(planPoll(lookEveryMs(lifetimeMs), 0.25, first) - first).toBeCloseTo(intervalMs, 3)
  })

  test('property: always ahead, at most an interval, and at the same slot whenever it is asked', () => {
    const lifetime = fc.integer({ min: 0, max: 10 * 365 * 24 * hourMs })
    const slot = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(lifetime, slot, fc.integer({ min: 0, max: 4e12 }), (lifetimeMs, at, nowMs) => {
        const intervalMs = Math.min(Math.max(lifetimeMs / 24, 10_000), hourMs)
        const pollAtMs = planPoll(lookEveryMs(lifetimeMs), at, nowMs)
        expect(pollAtMs).toBeGreaterThan(nowMs - 1)
        expect(pollAtMs).toBeLessThanOrEqual(nowMs + intervalMs + 1)
        const phase = (pollAtMs / intervalMs - at) % 1
        expect(Math.min(phase, 1 - phase)).toBeLessThan(1e-4)
      }),
    )
  })
})

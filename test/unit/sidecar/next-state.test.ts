/**
 * The promises of the core, of its pure part: whatever happens in whatever order, with whatever the clocks do, the agent acts again
 * within 30 s, gives up no certificate that works, and has no more made than the budget allows.
 */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Moment } from '../../../agent/core/clock.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import { planIssuance, planRecent } from '../../../agent/sidecar/budget.ts'
import { mendedBy } from '../../../agent/sidecar/inputs.ts'
import { nextState } from '../../../agent/sidecar/next-state.ts'
import { planStep } from '../../../agent/sidecar/next-step.ts'
import type { TargetEvent } from '../../../agent/sidecar/target-state.ts'
import { type Failure, type Repair, type TargetState, unknownTarget } from '../../../agent/sidecar/target-state.ts'
import { failures, first, hourMs, inputs, key, later, passing, rules, story, tell } from './stories.ts'

describe('whatever happens', () => {
  test('there is a next step, within 30 s', () => {
    fc.assert(
      fc.property(story, (events) => {
        tell(events, (state, now) => {
          const step = planStep(state, now)
          if (step.do !== 'wait') return
          expect(step.forMs).toBeGreaterThan(0)
          expect(step.forMs).toBeLessThanOrEqual(30_000)
        })
      }),
    )
  })

  test('a step that fails is not the next one: something is waited for, or another comes first', () => {
    fc.assert(
      fc.property(story, failures, (events, failure) => {
        tell(events, (state, now) => {
          const step = planStep(state, now)
          // Both are over, however they end.
          if (step.do === 'poll' || step.do === 'fall-back') return
          const next = planStep(nextState(state, { ...failure, during: step.do }, now, rules), now)
          expect(next.do === step.do && next.do !== 'wait').toBe(false)
        })
      }),
    )
  })

  test('what is due and not held up is done, after at most the wait that its failure asked for', () => {
    fc.assert(
      fc.property(story, (events) => {
        tell(events, (state, now) => {
          const { failure, request } = state
          const retryInMs = failure === undefined ? 0 : failure.retryAtMono - now.mono
          // An hour, and a tenth more for what a server asks.
          expect(retryInMs).toBeLessThanOrEqual(hourMs)
          if (request === undefined) return
          const at = { ...now, mono: now.mono + Math.max(retryInMs, 0) }
          const settled = { ...state, inspected: { fingerprint: '', atMono: at.mono }, repair: undefined }
          const tried = { ...settled, failure: failure && { ...failure, isFallbackTried: true } }
          expect(planStep(tried, at).do).toBe('renew')
        })
      }),
    )
  })

  test('a certificate is given up only for another one, or when it is found to be of no use', () => {
    fc.assert(
      fc.property(story, (events) => {
        let before: TargetState = unknownTarget
        const seen = events.map(([event]) => event)
        tell(events, (state) => {
          const event = seen.shift()
          if (event?.type === 'adopted') expect(state.published?.bundle).toBe(event.bundle)
          else expect(state.published).toBe(before.published)
          before = state
        })
      }),
    )
  })

  test('no wait is ended by a change of what the failure was not about, and none twice', () => {
    fc.assert(
      fc.property(failures, inputs, (failure, now) => {
        const failed = nextState(unknownTarget, failure, first, rules)
        const event: TargetEvent = { type: 'observed', fingerprint: '', source: '', inputs: now }
        const looked = nextState(failed, event, first, rules)
        const isEnded = (looked.failure?.retryAtMono ?? 0) < (failed.failure?.retryAtMono ?? 0)
        const about = mendedBy(failure.error.code)
        const isChanged = about.some((input) => failure.inputs[input] !== now[input])
        const isWaiting = (failed.failure?.retryAtMono ?? 0) > first.mono
        expect(isEnded).toBe(isChanged && isWaiting)
        const again = nextState(looked, { ...failure, inputs: now }, first, rules)
        const still = nextState(again, event, first, rules)
        expect(still.failure).toEqual(again.failure)
      }),
    )
  })
})

/** Nothing but the directory is of interest meanwhile. */
const outage = ({ mono, wallMs }: Moment): Failure => ({
  error: new AgentError('vault-sealed', ''),
  during: 'renew',
  inputs: {},
  backoff: { class: 'outage', failures: 9 },
  atWallMs: wallMs,
  firstAtWallMs: wallMs,
  retryAtMono: mono + hourMs,
  retryAtWallMs: wallMs + hourMs,
  isFallbackTried: true,
  isOver: false,
})

describe('an agent that does what it decides', () => {
  /** What becomes of a step that asks the source. */
  const outcomes = fc.array(
    fc.tuple(
      fc.constantFrom<'issued' | ReasonCode>(
        'issued',
        'vault-sealed',
        'wrong-name',
        'etcd-unknown-user',
        'directory-full',
      ),
      passing,
    ),
    { minLength: 1, maxLength: 200 },
  )

  const fights = fc.record({
    repair: fc.constantFrom<Repair>(
      { kind: 'rewrite', reason: 'attributes-changed' },
      { kind: 'rewrite', reason: 'files-changed' },
      { kind: 'replace', reason: 'malformed' },
      { kind: 'ca-set' },
    ),
    afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 400_000 })),
  })

  test('puts back what somebody undoes within 30 s, and no more than 130 times an hour', () => {
    fc.assert(
      fc.property(fc.array(fights, { minLength: 1, maxLength: 20 }), (script) => {
        let [state, now] = [nextState(unknownTarget, { type: 'renewed', request: undefined, key }, first, rules), first]
        const repairedMono: number[] = []
        const undoneMono: number[] = []
        for (let turn = 0; now.mono < first.mono + 2 * hourMs && turn < 2000; turn++) {
          const { repair, afterMs } = script[turn % script.length] as (typeof script)[number]
          const undone = nextState(state, { type: 'inspected', fingerprint: '', repair }, now, rules)
          undoneMono.push(now.mono)
          state = { ...undone, published: undefined, failure: outage(now), pollAtMono: undefined }
          for (let step = planStep(state, now); step.do !== 'repair'; step = planStep(state, now)) {
            expect(step).toMatchObject({ do: 'wait' })
            now = later(now, { mono: step.do === 'wait' ? step.forMs : 0, jumpMs: 0 })
          }
          expect(now.mono - (undoneMono.at(-1) ?? 0)).toBeLessThanOrEqual(30_000)
          state = nextState(state, { type: 'repaired' }, now, rules)
          repairedMono.push(now.mono)
          now = later(now, { mono: afterMs, jumpMs: 0 })
        }
        for (const at of repairedMono) {
          const inHour = repairedMono.filter((each) => each > at - hourMs && each <= at)
          expect(inHour.length).toBeLessThanOrEqual(130)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('comes to its renewals and waits, however the directory looks at each look', () => {
    let [state, now] = [unknownTarget, first]
    let inspections = 0
    for (let look = 0; look < 1000; look++) {
      state = nextState(state, { type: 'observed', fingerprint: `${look}`, source: '', inputs: {} }, now, rules)
      const step = planStep(state, now)
      if (step.do !== 'inspect') break
      inspections++
      state = nextState(state, { type: 'inspected', fingerprint: `${look}`, repair: undefined }, now, rules)
    }
    expect(inspections).toBeLessThanOrEqual(10)
    now = later(now, { mono: 30_000, jumpMs: 0 })
    state = nextState(state, { type: 'observed', fingerprint: 'another', source: '', inputs: {} }, now, rules)
    expect(planStep(state, now).do).toBe('inspect')
  })

  test('has no more certificates made in an hour than twice the budget', () => {
    const limit = 4
    fc.assert(
      fc.property(outcomes, (attempts) => {
        let [state, now] = [unknownTarget, first]
        let issuedAtMs: number[] = []
        const issuedMono: number[] = []
        const apply = (event: TargetEvent): void => {
          state = nextState(state, event, now, rules)
        }
        const fail = (code: ReasonCode, retryAfterMs?: number): void =>
          apply({
            type: 'failed',
            error: new AgentError(code, '', { retryAfterMs }),
            during: 'renew',
            inputs: {},
            random: 0.5,
          })
        for (const [outcome, { mono }] of attempts) {
          now = later(now, { mono, jumpMs: 0 })
          apply({ type: 'inspected', fingerprint: '', repair: undefined })
          if (planStep(state, now).do === 'fall-back') apply({ type: 'fallback-tried' })
          if (planStep(state, now).do !== 'renew') continue
          const recent = planRecent(issuedAtMs, now.wallMs)
          const neededAtMs = state.published?.plan.floorMs ?? 0
          const waitMs = planIssuance(recent, { limit, nowMs: now.wallMs, neededAtMs })
          if (waitMs > 0) fail('budget-spent', waitMs)
          else if (outcome === 'vault-sealed') fail(outcome)
          else {
            issuedAtMs = [...recent, now.wallMs]
            issuedMono.push(now.mono)
            if (outcome === 'issued') apply({ type: 'renewed', request: undefined, key })
            else fail(outcome)
            if (outcome === 'wrong-name') apply({ type: 'renewal-ordered' })
          }
        }
        const most = Math.max(
          0,
          ...issuedMono.map((at) => issuedMono.filter((each) => each > at - hourMs && each <= at).length),
        )
        expect(most).toBeLessThanOrEqual(2 * limit)
      }),
    )
  })
})

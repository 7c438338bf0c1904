/**
 * The promises of the core, of its pure part: whatever happens in whatever order, with whatever the clocks do, the agent acts again
 * within 30 s, gives up no certificate that works, and has no more made than the budget allows.
 */
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/errors.ts'
import type { Bundle } from '../../../agent/pki/bundle.ts'
import type { Input } from '../../../agent/reason.ts'
import { type ReasonCode, reasons } from '../../../agent/reasons.ts'
import { planIssuance, planRecent } from '../../../agent/rotation/budget.ts'
import { mendedBy } from '../../../agent/rotation/inputs.ts'
import { planStep, type StepName } from '../../../agent/rotation/next-step.ts'
import { planRenewal } from '../../../agent/rotation/schedule.ts'
import {
  type Moment,
  nextState,
  type TargetEvent,
  type TargetRules,
  type TargetState,
  unknownTarget,
} from '../../../agent/rotation/target-state.ts'
import { pollEveryMs } from '../../../agent/source/pki.ts'
import { createCa } from '../../support/certificates.ts'

const hourMs = 3_600_000
const startMs = Date.UTC(2026, 10, 21)
const ca = await createCa({ commonName: 'CA', notAfter: new Date(startMs + 100_000 * hourMs) })
const caCertificate = new X509Certificate(ca.certificatePem)
const key = generateKeyPairSync('ed25519').privateKey

/** Of three hours, one after the other. */
const bundles = await Promise.all(
  Array.from({ length: 4 }, async (_, index): Promise<Bundle> => {
    const notBefore = new Date(startMs + index * 2 * hourMs)
    const notAfter = new Date(notBefore.getTime() + 3 * hourMs)
    const { certificatePem } = await ca.issue({ commonName: 'calico-node:node1', notBefore, notAfter })
    return { leaf: new X509Certificate(certificatePem), intermediates: [], key, ca: [caCertificate], text: {} as never }
  }),
)

const rules: TargetRules = {
  issues: true,
  plan: (validity, issuedAtMs) => planRenewal(validity, issuedAtMs, 0.5, 0.65),
  pollEveryMs,
  pollSlot: 0.25,
}

const codes = Object.keys(reasons) as ReasonCode[]
const steps: StepName[] = ['inspect', 'repair', 'fall-back', 'renew', 'poll', 'reprobe', 'recover', 'wait']
const fingerprint = fc.constantFrom('one', 'two', 'three')
const inputs = fc.dictionary(fc.constantFrom<Input>('credential', 'login', 'directory', 'etcd-ca'), fingerprint)
const failures = fc.record({
  type: fc.constant('failed' as const),
  error: fc
    .tuple(fc.constantFrom(...codes), fc.option(fc.integer({ min: 0, max: 1e9 }), { nil: undefined }))
    .map(([code, retryAfterMs]) => new AgentError(code, '', { retryAfterMs })),
  during: fc.constantFrom(...steps),
  inputs,
  random: fc.double({ min: 0, max: 1, noNaN: true }),
})

/** Everything that can happen but that what is published is found to be of no use. */
const happenings: fc.Arbitrary<TargetEvent> = fc.oneof(
  fc.record({ type: fc.constant('looked' as const), fingerprint, source: fingerprint, inputs }),
  fc.record({
    type: fc.constant('inspected' as const),
    fingerprint,
    repair: fc.constantFrom(
      undefined,
      { kind: 'ca-set' } as const,
      { kind: 'rewrite', reason: 'files-changed' } as const,
    ),
  }),
  fc.constant({ type: 'repaired' } as const),
  fc.record({
    type: fc.constant('adopted' as const),
    bundle: fc.constantFrom(...bundles),
    writtenAtMs: fc.integer({ min: 0, max: 4e12 }),
    issuedAtMs: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
  }),
  fc.record({ type: fc.constant('renewal-wanted' as const), reason: fc.constantFrom(...codes) }),
  fc.constant({ type: 'renewal-unwanted' } as const),
  fc.constant({ type: 'renewal-ordered' } as const),
  fc.constant({ type: 'renewed', request: undefined, key: undefined } as const),
  fc.constant({ type: 'renewed', request: undefined, key } as const),
  fc.record({
    type: fc.constant('put-aside' as const),
    candidate: fc.constantFrom(...bundles).map((bundle) => ({ ...bundle, issuers: bundle.ca })),
    code: fc.constantFrom(...codes),
  }),
  fc.constant({ type: 'polled' } as const),
  fc.constant({ type: 'source-down' } as const),
  fc.constant({ type: 'poll-soon' } as const),
  fc.record({ type: fc.constant('verified' as const), isAccepted: fc.boolean() }),
  fc.record({ type: fc.constant('recorded' as const), unrecordedWallMs: fc.constant(undefined) }),
  failures,
  fc.constant({ type: 'fallback-tried' } as const),
  fc.constant({ type: 'recovered' } as const),
)

/** How far the clocks go between two events: the wall clock anywhere, the monotonic one only on. */
const passing = fc.record({
  mono: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 48 * hourMs })),
  jumpMs: fc.oneof(fc.constant(0), fc.integer({ min: -48 * hourMs, max: 48 * hourMs })),
})

const story = fc.array(fc.tuple(happenings, passing), { maxLength: 40 })

const first: Moment = { wallMs: startMs + hourMs, mono: 5_000_000 }
const later = ({ wallMs, mono }: Moment, by: { mono: number; jumpMs: number }): Moment => ({
  wallMs: Math.max(0, wallMs + by.mono + by.jumpMs),
  mono: mono + by.mono,
})

/** Calls `see` with every state that the story leads through. */
function tell(
  events: readonly (readonly [TargetEvent, { mono: number; jumpMs: number }])[],
  see: (state: TargetState, now: Moment) => void,
): void {
  let [state, now] = [unknownTarget, first]
  for (const [event, by] of events) {
    now = later(now, by)
    state = nextState(state, event, now, rules)
    see(state, now)
  }
}

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
          const at = { wallMs: now.wallMs, mono: now.mono + Math.max(retryInMs, 0) }
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
        const event: TargetEvent = { type: 'looked', fingerprint: '', source: '', inputs: now }
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

/** Everything that can happen to one target, in any order and with clocks that jump, for the properties of its state. */

import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import type { Moment } from '../../../agent/core/clock.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { type ReasonCode, reasons } from '../../../agent/core/reason-catalog.ts'
import type { Bundle } from '../../../agent/pki/bundle.ts'
import type { Input } from '../../../agent/sidecar/inputs.ts'
import { nextState } from '../../../agent/sidecar/next-state.ts'
import { planRenewal } from '../../../agent/sidecar/schedule.ts'
import { pollEveryMs } from '../../../agent/sidecar/source/pki.ts'
import type { TargetEvent } from '../../../agent/sidecar/target-state.ts'
import {
  type StepName,
  type TargetRules,
  type TargetState,
  unknownTarget,
} from '../../../agent/sidecar/target-state.ts'
import { createCa } from '../../support/certificates.ts'

export const hourMs = 3_600_000
const startMs = Date.UTC(2026, 10, 21)
const ca = await createCa({ commonName: 'CA', notAfter: new Date(startMs + 100_000 * hourMs) })
const caCertificate = new X509Certificate(ca.certificatePem)
export const key = generateKeyPairSync('ed25519').privateKey

/** Of three hours, one after the other. */
const bundles = await Promise.all(
  Array.from({ length: 4 }, async (_, index): Promise<Bundle> => {
    const notBefore = new Date(startMs + index * 2 * hourMs)
    const notAfter = new Date(notBefore.getTime() + 3 * hourMs)
    const { certificatePem } = await ca.issue({ commonName: 'calico-node:node1', notBefore, notAfter })
    return { leaf: new X509Certificate(certificatePem), intermediates: [], key, ca: [caCertificate], text: {} as never }
  }),
)

export const rules: TargetRules = {
  issues: true,
  plan: (validity, issuedAtMs) => planRenewal(validity, issuedAtMs, 0.5, 0.65),
  pollEveryMs,
  pollSlot: 0.25,
}

const codes = Object.keys(reasons) as ReasonCode[]
const steps: StepName[] = ['inspect', 'repair', 'fall-back', 'renew', 'poll', 'reprobe', 'recover', 'wait']
const fingerprint = fc.constantFrom('one', 'two', 'three')
export const inputs = fc.dictionary(fc.constantFrom<Input>('credential', 'login', 'directory', 'etcd-ca'), fingerprint)
export const failures = fc.record({
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
  fc.record({ type: fc.constant('observed' as const), fingerprint, source: fingerprint, inputs }),
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
    isFallback: fc.boolean(),
    previous: fc.constantFrom(undefined, ...bundles),
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
  fc.record({
    type: fc.constant('verified' as const),
    verification: fc.constantFrom(
      { isAccepted: true } as const,
      {
        isAccepted: false,
        reason: 'etcd-unheard',
        detail: '',
      } as const,
    ),
  }),
  fc.constant({ type: 'recorded', issuedAtMs: [], limit: 12, isWritten: true } as const),
  failures,
  fc.constant({ type: 'fallback-tried' } as const),
  fc.constant({ type: 'recovered' } as const),
)

/** How far the clocks go between two events: the wall clock anywhere, the monotonic one only on. */
export const passing = fc.record({
  mono: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 48 * hourMs })),
  jumpMs: fc.oneof(fc.constant(0), fc.integer({ min: -48 * hourMs, max: 48 * hourMs })),
})

export const story = fc.array(fc.tuple(happenings, passing), { maxLength: 40 })

export const first: Moment = { wallMs: startMs + hourMs, earliestMs: startMs + hourMs, mono: 5_000_000 }
export const later = ({ wallMs, mono }: Moment, by: { mono: number; jumpMs: number }): Moment => ({
  wallMs: Math.max(0, wallMs + by.mono + by.jumpMs),
  earliestMs: Math.max(0, wallMs + by.mono + by.jumpMs),
  mono: mono + by.mono,
})

/** Calls `see` with every state that the story leads through. */
export function tell(
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

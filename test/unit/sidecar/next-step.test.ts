import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import { planStep } from '../../../agent/sidecar/next-step.ts'
import { type Failure, type Step, type TargetState, unknownTarget } from '../../../agent/sidecar/target-state.ts'

/** The clocks have nothing to do with each other. */
const now = { wallMs: 1_000_000, earliestMs: 1_000_000, mono: 5000 }
const hourMs = 3_600_000

/** With a certificate that is renewed in so many milliseconds, and expires an hour later. */
function renewedIn(ms: number): TargetState['published'] {
  const renewAtMs = now.wallMs + ms
  const notAfterMs = renewAtMs + hourMs
  return { bundle: {} as never, validity: { notBeforeMs: 0, notAfterMs }, plan: { renewAtMs, floorMs: notAfterMs } }
}

const idle: TargetState = {
  ...unknownTarget,
  published: renewedIn(500),
  inspected: { fingerprint: '', atMono: 0 },
  pollAtMono: now.mono + 300,
}

function failed(inMs: number, code: ReasonCode = 'vault-sealed', during: Failure['during'] = 'renew'): Failure {
  const error = new AgentError(code, 'as told')
  const backoff = { class: error.retry, failures: 1 }
  const failedAt = { atWallMs: now.wallMs, firstAtWallMs: now.wallMs }
  const times = { ...failedAt, retryAtMono: now.mono + inMs, retryAtWallMs: now.wallMs + inMs }
  return { error, during, inputs: {}, backoff, ...times, isFallbackTried: false, isOver: false }
}

const rewrite = { kind: 'rewrite', reason: 'files-changed' } as const
const none = { published: undefined }
const expired = { published: renewedIn(-2 * hourMs) }
const refused = { isAccepted: false, reason: 'etcd-unheard', detail: '' } as const
const request = { reason: 'issuer-removed' } as const

test.each<[string, Partial<TargetState>, Step]>([
  ['nothing is due', {}, { do: 'wait', forMs: 300 }],
  ['the renewal comes first', { pollAtMono: now.mono + 900 }, { do: 'wait', forMs: 500 }],
  [
    'everything is far away',
    { published: renewedIn(hourMs), pollAtMono: now.mono + hourMs },
    { do: 'wait', forMs: 30_000 },
  ],
  ['it was never inspected', { inspected: undefined }, { do: 'inspect' }],
  ['something is to be repaired', { repair: rewrite, ...expired }, { do: 'repair', repair: rewrite }],
  ['nothing is published', none, { do: 'renew', reason: 'never-published' }],
  ['the slot has come', { published: renewedIn(0) }, { do: 'renew', reason: 'renewal-due' }],
  ['the slot is over', { published: renewedIn(-9) }, { do: 'renew', reason: 'renewal-due' }],
  ['something was asked for', { request }, { do: 'renew', reason: 'issuer-removed' }],
  [
    'the request says more than that nothing is published',
    { ...none, request },
    { do: 'renew', reason: 'issuer-removed' },
  ],
  ['a poll is due', { pollAtMono: now.mono }, { do: 'poll' }],
  ['it was never polled', { pollAtMono: undefined }, { do: 'poll' }],
  ['both are due', { pollAtMono: 0, published: renewedIn(0) }, { do: 'renew', reason: 'renewal-due' }],
  ['due, but it failed', { published: renewedIn(-9), failure: failed(50) }, { do: 'wait', forMs: 50 }],
  ['asked for, but it failed', { request, failure: failed(50) }, { do: 'wait', forMs: 50 }],
  [
    'failed, a poll due too',
    { published: renewedIn(-9), failure: failed(50), pollAtMono: 0 },
    { do: 'wait', forMs: 50 },
  ],
  ['time for another try', { published: renewedIn(0), failure: failed(0) }, { do: 'renew', reason: 'renewal-due' }],
  ['failed at something else', { failure: failed(50) }, { do: 'wait', forMs: 50 }],
  ['failed at something else, a poll due', { failure: failed(50), pollAtMono: 0 }, { do: 'poll' }],
  ['it has passed', { failure: failed(0) }, { do: 'recover' }],
  ['no certificate, and it failed', { ...none, failure: failed(50) }, { do: 'fall-back' }],
  ['it has expired, and it failed', { ...expired, failure: failed(50) }, { do: 'fall-back' }],
  [
    'nothing to fall back to',
    { ...none, failure: { ...failed(50), isFallbackTried: true } },
    { do: 'wait', forMs: 50 },
  ],
  ['an outage holds up no inspection', { inspected: undefined, failure: failed(50) }, { do: 'inspect' }],
  ['an outage holds up no repair', { repair: rewrite, failure: failed(50) }, { do: 'repair', repair: rewrite }],
  [
    'a full directory holds up repair',
    { repair: rewrite, failure: failed(50, 'directory-full') },
    { do: 'wait', forMs: 50 },
  ],
  [
    'an inspection that failed waits itself',
    { inspected: undefined, failure: failed(50, 'credential-missing', 'inspect') },
    { do: 'wait', forMs: 50 },
  ],
  ['etcd is asked again', { verification: { ...refused, atMono: now.mono - 300_000 } }, { do: 'reprobe' }],
  ['etcd is asked again soon', { verification: { ...refused, atMono: now.mono - 299_999 } }, { do: 'wait', forMs: 1 }],
  ['etcd has accepted it', { verification: { isAccepted: true, atMono: 0 } }, { do: 'wait', forMs: 300 }],
  [
    'a renewal is deferred after an outage',
    { published: renewedIn(0), outageAtMono: now.mono - 9 },
    { do: 'wait', forMs: 300 },
  ],
])('%s', (_name, state, step) => {
  expect(planStep({ ...idle, ...state }, now)).toEqual(step)
})

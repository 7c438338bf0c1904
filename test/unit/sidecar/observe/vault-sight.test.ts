import { expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { seeVault, unseenVault, type VaultSight } from '../../../../agent/sidecar/observe/vault-sight.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { sampleEvents } from './sample-events.ts'

const startMs = 1_000_000
const request = (outcome: string): AgentEvent => ({
  type: 'vault-request',
  operation: 'issuers',
  outcome,
  durationMs: 1,
})

/** One event a second. */
function see(...events: readonly AgentEvent[]): VaultSight {
  const clock = createFakeClock(startMs)
  return events.reduce((sight, event) => {
    clock.advance(1000)
    return seeVault(sight, event, clock)
  }, unseenVault)
}

test('an answer is kept with its time and what was asked', () => {
  const answered = { atMs: startMs + 1000, operation: 'issuers' }
  expect(see(request('ok'), sampleEvents.published)).toEqual({ answered, failure: undefined })
})

test('a refusal is an answer too', () => {
  expect(see(request('vault-sealed'), request('vault-denied')).failure).toBeUndefined()
})

test('a failure keeps when it began, and the answer before it', () => {
  expect(see(request('ok'), request('vault-sealed'), request('vault-unreachable'))).toEqual({
    answered: { atMs: startMs + 1000, operation: 'issuers' },
    failure: { reason: 'vault-unreachable', atMs: startMs + 3000, firstAtMs: startMs + 2000 },
  })
})

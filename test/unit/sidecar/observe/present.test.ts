/** What is true now is what was told last. */
import { expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createPresent, type VaultSight } from '../../../../agent/sidecar/observe/present.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { sampleEvents, stateOf } from './sample-events.ts'

const component = 'calico-node'

test('the state of each target, whatever was said of it before', () => {
  const present = createPresent([component], createFakeClock())
  expect(present.targets.get(component)?.state).toBeUndefined()
  for (const event of [sampleEvents.state, sampleEvents['renewal-failed'], sampleEvents.probed]) present.listener(event)
  expect(present.targets.get(component)?.state).toBe(sampleEvents.state.state)
  present.listener(stateOf({}))
  expect(present.targets.get(component)?.state?.failure).toBeUndefined()
  expect(present.targets.get('calico-cni')?.state).toBeUndefined()
})

test('consumers that could not be told, until they have been', () => {
  const present = createPresent([component], createFakeClock())
  const reason = 'on-publish-failed'
  const failed: AgentEvent = {
    type: 'on-publish-failed',
    component,
    action: 'url',
    reason,
    detail: 'why',
    retryAtMs: 5,
    repeated: false,
  }
  present.listener(failed)
  expect(present.targets.get(component)?.notTold).toEqual({ reason, detail: 'why', retryAtMs: 5 })
  present.listener({ type: 'on-publish-done', component, action: 'url', durationMs: 1, output: '' })
  expect(present.targets.get(component)?.notTold).toBeUndefined()
})

test('the address at which Vault answers now, and how it was seen', () => {
  const present = createPresent([component], createFakeClock(7))
  expect([present.vaultAddress, present.vault.answered]).toEqual([undefined, undefined])
  for (const address of ['https://a', 'https://b']) present.listener({ type: 'vault-address', address, instead: [] })
  present.listener(sampleEvents['vault-request'])
  expect([present.vaultAddress, present.vault.answered]).toEqual(['https://b', { atMs: 7, operation: 'sign' }])
})

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
  const present = createPresent([], clock)
  for (const event of events) {
    clock.advance(1000)
    present.listener(event)
  }
  return present.vault
}

test('an answer of Vault is kept with its time and what was asked', () => {
  const answered = { atMs: startMs + 1000, operation: 'issuers' }
  expect(see(request('ok'), sampleEvents.published)).toEqual({ answered, failure: undefined })
})

test('a refusal of Vault is an answer too', () => {
  expect(see(request('vault-sealed'), request('vault-denied')).failure).toBeUndefined()
})

test('a failure of Vault keeps when it began, and the answer before it', () => {
  expect(see(request('ok'), request('vault-sealed'), request('vault-unreachable'))).toEqual({
    answered: { atMs: startMs + 1000, operation: 'issuers' },
    failure: { reason: 'vault-unreachable', atMs: startMs + 3000, firstAtMs: startMs + 2000 },
  })
})

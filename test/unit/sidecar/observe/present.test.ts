/** What is true now is what was told last. */
import { expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createPresent } from '../../../../agent/sidecar/observe/present.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { sampleEvents, stateOf } from './sample-events.ts'

const component = 'calico-node'

test('the state of each target, whatever was said of it before', () => {
  const present = createPresent(createFakeClock())
  expect(present.state(component)).toBeUndefined()
  for (const event of [sampleEvents.state, sampleEvents['renewal-failed'], sampleEvents.probed]) present.listener(event)
  expect(present.state(component)).toBe(sampleEvents.state.state)
  present.listener(stateOf({}))
  expect(present.state(component)?.failure).toBeUndefined()
  expect(present.state('calico-cni')).toBeUndefined()
})

test('consumers that could not be told, until they have been', () => {
  const present = createPresent(createFakeClock())
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
  expect(present.notTold(component)).toEqual({ reason, detail: 'why', retryAtMs: 5 })
  present.listener({ type: 'on-publish-done', component, action: 'url', durationMs: 1, output: '' })
  expect(present.notTold(component)).toBeUndefined()
})

test('the address at which Vault answers now, and how it was seen', () => {
  const present = createPresent(createFakeClock(7))
  expect([present.vaultAddress(), present.vault().answered]).toEqual([undefined, undefined])
  for (const address of ['https://a', 'https://b']) present.listener({ type: 'vault-address', address, instead: [] })
  present.listener(sampleEvents['vault-request'])
  expect([present.vaultAddress(), present.vault().answered]).toEqual(['https://b', { atMs: 7, operation: 'sign' }])
})

import { beforeEach, expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createHealth, createProvisionHealth, type Health } from '../../../../agent/sidecar/observe/health.ts'
import { createPresent, type Present } from '../../../../agent/sidecar/observe/present.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

let clock: FakeClock
let present: Present
let health: Health
beforeEach(() => {
  clock = createFakeClock(sampleNow)
  present = createPresent([], clock)
  health = createProvisionHealth(createHealth([], present, clock, 0), present, clock)
})

const tell = (...events: readonly AgentEvent[]): void => {
  for (const event of events) present.listener(event)
}
const answers = () => (['startupz', 'readyz', 'livez'] as const).map((name) => health.probe(name).ok)
const reached = sampleEvents['provision-source-reached']
const done = sampleEvents['provision-done']

test('is started once etcd was in step, and ready while the nodes can be told too', () => {
  expect(answers()).toEqual([false, false, true])
  tell(done)
  expect(answers()).toEqual([true, false, true])
  tell(reached)
  expect(answers()).toEqual([true, true, true])
})

test.each([
  ['provision-source-failed', { source: { reason: 'kube-unreachable', detail: 'connect ECONNREFUSED 10.96.0.1:443' } }],
  ['provision-failed', { etcd: { reason: 'etcd-no-leader', detail: 'userAdd: etcdserver: no leader' } }],
] as const)('%s: not ready, and says why, until it has passed', (failure, why) => {
  tell(done, reached, sampleEvents[failure])
  expect(answers()).toEqual([true, false, true])
  expect(health.probe('readyz').body).toMatchObject({ ok: false, provision: { ready: false, ...why } })
  tell(done, reached)
  expect(answers()).toEqual([true, true, true])
})

test('is taken for dead when it has not looked for five minutes longer than it said', () => {
  tell(sampleEvents['provision-heartbeat'])
  clock.advance(30_000 + 299_000)
  expect(health.probe('livez').ok).toBe(true)
  clock.advance(2000)
  expect(health.probe('livez').ok).toBe(false)
  tell(sampleEvents['provision-change'])
  expect(health.probe('livez').ok).toBe(true)
})

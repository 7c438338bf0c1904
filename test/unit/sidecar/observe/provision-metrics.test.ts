import { beforeEach, expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../../agent/sidecar/observe/metrics.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { parseExposition } from './exposition.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

const prefix = 'calico_vault_agent_provision_'

let metrics: Metrics
beforeEach(() => {
  const provision = { usersPerNode: 2, otherUsers: 1 }
  metrics = createToldMetrics({ components: [], version: '1.2.3', clock: createFakeClock(sampleNow), provision })
})

const tell = (...events: readonly AgentEvent[]): void => {
  for (const event of events) metrics.listener(event)
}
const samples = async (): Promise<Map<string, number>> =>
  new Map(parseExposition((await metrics.expose('')).text, 'text').samples)
const value = async (name: string): Promise<number | undefined> => (await samples()).get(prefix + name)

test('what is told last is what they say', async () => {
  tell(...Object.values(sampleEvents))
  expect(await value('nodes')).toBe(3)
  expect(await value('users')).toBe(3 * 2 + 1)
  expect(await value('pending_removals')).toBe(1)
  expect(await value('held_removals')).toBe(0)
  expect(await value('conflicts')).toBe(1)
  expect(await value('last_success_timestamp_seconds')).toBe(sampleNow / 1000)
  expect(await value('changes_total{kind="add-user"}')).toBe(1)
  expect(await value('failures_total{reason="kube-unreachable"}')).toBe(1)
  expect(await value('failures_total{reason="etcd-denied"}')).toBe(1)
  expect(await value('failures_total{reason="etcd-no-leader"}')).toBe(1)
})

test('the source is up from when it is reached until it fails', async () => {
  expect(await value('source_up')).toBe(0)
  tell(sampleEvents['provision-source-reached'])
  expect(await value('source_up')).toBe(1)
  tell(sampleEvents['provision-source-failed'])
  expect(await value('source_up')).toBe(0)
})

test('the first certificate is no change of identity', async () => {
  tell({ ...sampleEvents['provision-identity'], isFirst: true })
  expect(await value('identity_changes_total')).toBe(0)
  tell(sampleEvents['provision-identity'])
  expect(await value('identity_changes_total')).toBe(1)
})

test('an agent that provisions nothing has none of them, whatever it is told', async () => {
  metrics = createToldMetrics({ components: [], version: '1.2.3', clock: createFakeClock(sampleNow) })
  tell(...Object.values(sampleEvents))
  expect([...(await samples()).keys()].filter((name) => name.startsWith(prefix))).toEqual([])
})

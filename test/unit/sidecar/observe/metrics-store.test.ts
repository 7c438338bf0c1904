import { beforeEach, expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../../agent/sidecar/observe/metrics.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { parseExposition } from './exposition.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

let metrics: Metrics
beforeEach(() => {
  metrics = createToldMetrics({ components: ['calico-node'], version: '1.2.3', clock: createFakeClock(sampleNow) })
})

async function value(name: string, labels = '{component="calico-node"}'): Promise<number | undefined> {
  const { text } = await metrics.expose('')
  return parseExposition(text, 'text').samples.get(`calico_vault_agent_${name}${labels}`)
}

const tell = (...events: readonly AgentEvent[]): void => {
  for (const event of events) metrics.listener(event)
}

test("the CNI plugin's copy: in step or not, since when it would not work, and why", async () => {
  expect(await value('host_copy_in_step')).toBeUndefined()
  tell(sampleEvents['host-copied'])
  expect(await value('host_copy_in_step')).toBe(1)
  expect(await value('host_copy_writes_total')).toBe(1)
  tell({ ...sampleEvents['host-copied'], written: false }, sampleEvents['host-copy-failed'])
  expect(await value('host_copy_in_step')).toBe(0)
  expect(await value('host_copy_writes_total')).toBe(1)
  expect(await value('host_copy_not_after_timestamp_seconds')).toBe(sampleNow / 1000 + 86_400)
  expect(await value('host_copy_failures_total', '{component="calico-node",reason="directory-read-only"}')).toBe(1)
})

test('consumers that could not be told of a publication, until they have been', async () => {
  expect(await value('on_publish_failing')).toBeUndefined()
  tell(sampleEvents['on-publish-failed'])
  expect(await value('on_publish_failing')).toBe(1)
  expect(await value('on_publish_total')).toBe(0)
  expect(await value('on_publish_failures_total', '{component="calico-node",reason="on-publish-failed"}')).toBe(1)
  tell(sampleEvents['on-publish-done'])
  expect(await value('on_publish_failing')).toBe(0)
  expect(await value('on_publish_total')).toBe(1)
})

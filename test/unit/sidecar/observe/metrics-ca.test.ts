/** What the steps of a CA rotation are followed by (docs/ca-rotation.md). */
import { beforeEach, expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../../agent/sidecar/observe/metrics.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { parseExposition } from './exposition.ts'
import { sampleCertificate, sampleEvents, sampleNow, stateOf } from './sample-events.ts'

const prefix = 'calico_vault_agent_'
let metrics: Metrics
beforeEach(() => {
  metrics = createToldMetrics({ components: ['calico-node'], version: '1.2.3', clock: createFakeClock(sampleNow) })
})

const samplesNow = async (): Promise<ReadonlyMap<string, number>> =>
  parseExposition((await metrics.expose('')).text, 'text').samples

/** By the labels. */
async function caUses(): Promise<Record<string, number>> {
  const key = `${prefix}ca_in_use_until_timestamp_seconds`
  const samples = [...(await samplesNow())].filter(([name]) => name.startsWith(key))
  return Object.fromEntries(samples.map(([name, at]) => [name.slice(key.length), at]))
}

const { ca } = sampleCertificate
const withCa = (certificates: (typeof ca)['certificates']): AgentEvent =>
  stateOf({ certificate: { ...sampleCertificate, ca: { ...ca, certificates } } })

test('each CA certificate has one sample while it is in the set, of at most twenty', async () => {
  metrics.listener(sampleEvents.state)
  const old = '{component="calico-node",fingerprint="0123456789abcdef",subject="old"}'
  const fresh = '{component="calico-node",fingerprint="fedcba9876543210",subject="new"}'
  expect(await caUses()).toEqual({ [old]: sampleNow / 1000 + 24 * 3600, [fresh]: 0 })
  metrics.listener(withCa(ca.certificates.slice(1)))
  expect(await caUses()).toEqual({ [fresh]: 0 })
  const many = Array.from({ length: 30 }, (_, at) => ({ fingerprint: `${at}`, subject: 'x', inUseUntilMs: 0 }))
  metrics.listener(withCa(many))
  expect(Object.keys(await caUses())).toHaveLength(20)
})

test('when a CA certificate was added last', async () => {
  metrics.listener(sampleEvents.state)
  const samples = await samplesNow()
  expect(samples.get(`${prefix}ca_added_timestamp_seconds{component="calico-node"}`)).toBe(sampleNow / 1000 - 3600)
})

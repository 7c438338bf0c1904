import { beforeEach, describe, expect, test } from 'vitest'
import { type ReasonCode, reasons } from '../../../../agent/core/reason-catalog.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../../agent/sidecar/observe/metrics.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { type Exposition, parseExposition } from './exposition.ts'
import { sampleEvents, sampleNow, stateOf } from './sample-events.ts'

const openMetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const prefix = 'calico_vault_agent_'
const types: Readonly<Record<string, string>> = {
  certificate_not_before_timestamp_seconds: 'gauge',
  certificate_not_after_timestamp_seconds: 'gauge',
  certificate_next_renewal_timestamp_seconds: 'gauge',
  certificate_runway_seconds: 'gauge',
  renewals_total: 'counter',
  renewal_failures_total: 'counter',
  renewal_failing: 'gauge',
  gate_rejections_total: 'counter',
  etcd_probes_total: 'counter',
  etcd_unproven: 'gauge',
  last_success_timestamp_seconds: 'gauge',
  next_try_timestamp_seconds: 'gauge',
  publish_duration_seconds: 'histogram',
  ca_certificates: 'gauge',
  ca_earliest_expiry_timestamp_seconds: 'gauge',
  ca_changed_since_start: 'gauge',
  ca_added_timestamp_seconds: 'gauge',
  ca_in_use_until_timestamp_seconds: 'gauge',
  ca_refresh_failures_total: 'counter',
  heartbeat_timestamp_seconds: 'gauge',
  node_info: 'gauge',
  build_info: 'gauge',
  vault_requests_total: 'counter',
  vault_request_failures_total: 'counter',
  vault_request_duration_seconds: 'histogram',
  vault_address_info: 'gauge',
  vault_failovers_total: 'counter',
  vault_logins_total: 'counter',
  vault_token_expiry_timestamp_seconds: 'gauge',
  service_account_token_expiry_timestamp_seconds: 'gauge',
  clock_skew_seconds: 'gauge',
  issuance_budget_remaining: 'gauge',
  store_flaws_total: 'counter',
  host_copy_in_step: 'gauge',
  host_copy_not_after_timestamp_seconds: 'gauge',
  host_copy_writes_total: 'counter',
  host_copy_failures_total: 'counter',
  on_publish_failing: 'gauge',
  on_publish_total: 'counter',
  on_publish_failures_total: 'counter',
}

let clock: FakeClock
let metrics: Metrics
beforeEach(() => {
  clock = createFakeClock(sampleNow)
  metrics = createToldMetrics({ components: ['calico-node', 'calico-cni'], version: '1.2.3', clock })
})

async function scrape(accept = ''): Promise<Exposition> {
  const { contentType, text } = await metrics.expose(accept)
  const isOpen = contentType.startsWith('application/openmetrics-text')
  return parseExposition(text, isOpen ? 'openMetrics' : 'text')
}

async function value(name: string, labels = '{component="calico-node"}'): Promise<number | undefined> {
  return (await scrape()).samples.get(prefix + name + labels)
}

const tell = (...events: readonly AgentEvent[]): void => {
  for (const event of events) metrics.listener(event)
}

describe('the exposition', () => {
  test('in the text format has every metric, before and after every event', async () => {
    const expected = new Map(Object.entries(types).map(([name, type]) => [prefix + name, type]))
    expect((await scrape()).types).toEqual(expected)
    tell(...Object.values(sampleEvents))
    expect((await scrape()).types).toEqual(expected)
    expect((await metrics.expose('')).contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  })

  test('in OpenMetrics has the same samples, counters named without _total', async () => {
    tell(...Object.values(sampleEvents))
    const { types: openTypes, samples } = await scrape(openMetrics)
    expect(new Map(openTypes)).toEqual(
      new Map(Object.entries(types).map(([name, type]) => [prefix + name.replace(/_total$/, ''), type])),
    )
    expect(samples).toEqual((await scrape()).samples)
    expect((await metrics.expose(openMetrics)).contentType).toBe(openMetrics)
  })

  test.each([
    ['text/plain;version=0.0.4', 'text/plain'],
    ['*/*', 'text/plain'],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4', 'application/openmetrics-text'],
  ])('for Accept %j is %s', async (accept, contentType) => {
    expect((await metrics.expose(accept)).contentType).toContain(contentType)
  })

  test('has no labels that grow: every event twice makes no more series than once', async () => {
    tell(...Object.values(sampleEvents))
    const { samples } = await scrape()
    tell(...Object.values(sampleEvents))
    expect([...(await scrape()).samples.keys()]).toEqual([...samples.keys()])
  })
})

test('every reason of the gate starts at 0 for every target', async () => {
  const { samples } = await scrape()
  const gate = (Object.keys(reasons) as ReasonCode[]).filter((code) => reasons[code].about === 'gate')
  for (const component of ['calico-node', 'calico-cni']) {
    for (const code of gate) {
      expect(samples.get(`${prefix}gate_rejections_total{component="${component}",reason="${code}"}`)).toBe(0)
    }
  }
  expect(gate.length).toBeGreaterThan(5)
})

test('a failure counts by its reason; as a rejection too, where it is one of the gate', async () => {
  tell(sampleEvents['renewal-failed'], { ...sampleEvents['renewal-failed'], reason: 'wrong-name' })
  const { samples } = await scrape()
  const count = (name: string, reason: ReasonCode) =>
    samples.get(`${prefix}${name}{component="calico-node",reason="${reason}"}`)
  expect(count('renewal_failures_total', 'vault-sealed')).toBe(1)
  expect(count('gate_rejections_total', 'vault-sealed')).toBeUndefined()
  expect(count('renewal_failures_total', 'wrong-name')).toBe(1)
  expect(count('gate_rejections_total', 'wrong-name')).toBe(1)
})

describe('the certificate', () => {
  test('has its dates, in seconds', async () => {
    tell(sampleEvents.state)
    expect(await value('certificate_not_before_timestamp_seconds')).toBe(sampleNow / 1000 - 30)
    expect(await value('certificate_not_after_timestamp_seconds')).toBe(sampleNow / 1000 + 86_400)
    expect(await value('certificate_next_renewal_timestamp_seconds')).toBe(sampleNow / 1000 + 57_600)
    expect(await value('ca_certificates')).toBe(2)
    expect(await value('ca_earliest_expiry_timestamp_seconds')).toBe(sampleNow / 1000 + 3_600_000)
    expect(await value('ca_changed_since_start')).toBe(1)
    expect(await value('certificate_not_after_timestamp_seconds', '{component="calico-cni"}')).toBeUndefined()
  })

  test('has a runway that is computed when it is asked for, and ends at 0', async () => {
    expect(await value('certificate_runway_seconds')).toBe(0)
    tell(sampleEvents.state)
    expect(await value('certificate_runway_seconds')).toBe(86_400)
    clock.advance(86_399_500)
    expect(await value('certificate_runway_seconds')).toBe(0.5)
    clock.advance(3_600_000)
    expect(await value('certificate_runway_seconds')).toBe(0)
    expect(await value('certificate_runway_seconds', '{component="calico-cni"}')).toBe(0)
  })

  test('counts as a success where it was published', async () => {
    tell(sampleEvents.found)
    expect(await value('last_success_timestamp_seconds')).toBeUndefined()
    tell(sampleEvents.published)
    expect(await value('last_success_timestamp_seconds')).toBe(sampleNow / 1000)
    expect(await value('renewals_total', '{component="calico-node",reason="renewal-due"}')).toBe(1)
    expect(await value('publish_duration_seconds_bucket', '{le="0.005"}')).toBe(1)
    expect(await value('publish_duration_seconds_bucket', '{le="0.001"}')).toBe(0)
  })
})

test('what fails now is one series, of the last reason, until it has passed', async () => {
  const failing = async () =>
    [...(await scrape()).samples.keys()].filter((key) => key.startsWith(`${prefix}renewal_failing`))
  expect(await failing()).toEqual([])
  const failure = { detail: '', atMs: sampleNow, firstAtMs: sampleNow, retryAtMs: sampleNow + 5000 }
  tell(stateOf({ failure: { ...failure, reason: 'vault-sealed' } }))
  expect(await value('next_try_timestamp_seconds')).toBe(sampleNow / 1000 + 5)
  tell(stateOf({ failure: { ...failure, reason: 'wrong-name' } }))
  expect(await failing()).toEqual([
    `${prefix}renewal_failing{component="calico-node",about="gate",reason="wrong-name"}`,
  ])
  tell(stateOf({}))
  expect(await failing()).toEqual([])
  expect(await value('next_try_timestamp_seconds')).toBe(0)
})

test('looks at the source that failed are counted by reason', async () => {
  tell(sampleEvents['ca-refresh-failed'])
  expect(await value('ca_refresh_failures_total', '{component="calico-node",reason="vault-timeout"}')).toBe(1)
})

test('the families are all there is, with their labels', () => {
  const families = metrics.families()
  expect(families.map(({ name }) => name)).toEqual(Object.keys(types).map((name) => prefix + name))
  expect(families.find(({ name }) => name.endsWith('vault_requests_total'))).toMatchObject({
    type: 'counter',
    help: 'Requests to Vault.',
    labelNames: ['operation', 'outcome'],
  })
})

test('the budget fills up again by itself', async () => {
  expect(await value('issuance_budget_remaining')).toBeUndefined()
  tell(sampleEvents.state)
  expect(await value('issuance_budget_remaining')).toBe(11)
  clock.advance(60_000)
  expect(await value('issuance_budget_remaining')).toBe(12)
  tell(stateOf({ budget: { limit: 1, spentUntilMs: [clock.now() + 1, clock.now() + 2] } }))
  expect(await value('issuance_budget_remaining')).toBe(0)
})

test('two agents in one process do not share their numbers', async () => {
  tell(sampleEvents.published)
  const other = createToldMetrics({ components: ['calico-node'], version: '1', clock })
  expect((await other.expose('')).text).toContain('reason="renewal-due"} 0')
})

test('probes are counted by their answer; what is published unproven is marked until etcd has accepted it', async () => {
  const probed = { ...sampleEvents.probed, component: 'calico-node' }
  tell(probed, { ...probed, outcome: 'etcd-unknown-user', verdict: 'refuse' })
  expect(await value('etcd_probes_total', '{component="calico-node",outcome="etcd-unheard"}')).toBe(1)
  expect(await value('etcd_probes_total', '{component="calico-node",outcome="etcd-unknown-user"}')).toBe(1)
  expect(await value('etcd_unproven')).toBeUndefined()
  tell(sampleEvents.state)
  expect(await value('etcd_unproven')).toBe(1)
  tell(stateOf({ verification: { isAccepted: true } }))
  expect(await value('etcd_unproven')).toBe(0)
})

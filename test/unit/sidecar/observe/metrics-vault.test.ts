import { beforeEach, expect, test } from 'vitest'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../../agent/sidecar/observe/metrics.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { parseExposition } from './exposition.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

const prefix = 'calico_vault_agent_'
const clock = createFakeClock(sampleNow)

let metrics: Metrics
beforeEach(() => {
  metrics = createToldMetrics({ components: ['calico-node'], version: '1.2.3', clock })
})

const scrape = async () => parseExposition((await metrics.expose('')).text, 'text')
const value = async (name: string, labels: string) => (await scrape()).samples.get(prefix + name + labels)
const tell = (...events: readonly AgentEvent[]): void => {
  for (const event of events) metrics.listener(event)
}

test('Vault: requests by operation and outcome, logins, tokens, skew', async () => {
  tell(sampleEvents['vault-request'], {
    ...sampleEvents['vault-request'],
    outcome: 'vault-timeout',
    durationMs: 10_001,
  })
  tell(sampleEvents.login, sampleEvents.credential, sampleEvents['clock-skew'], sampleEvents.heartbeat)
  const { samples } = await scrape()
  const read = (key: string) => samples.get(prefix + key)
  expect(read('vault_requests_total{operation="sign",outcome="ok"}')).toBe(1)
  expect(read('vault_requests_total{operation="sign",outcome="vault-timeout"}')).toBe(1)
  expect(read('vault_request_failures_total{operation="sign"}')).toBe(1)
  expect(read('vault_request_failures_total{operation="login"}')).toBe(0)
  expect(read('vault_request_duration_seconds_count{operation="sign"}')).toBe(2)
  expect(read('vault_request_duration_seconds_bucket{le="10",operation="sign"}')).toBe(1)
  expect(read('vault_logins_total{method="jwt"}')).toBe(1)
  expect(read('vault_token_expiry_timestamp_seconds')).toBe(sampleNow / 1000 + 900)
  expect(read('service_account_token_expiry_timestamp_seconds')).toBe(sampleNow / 1000 + 3600)
  expect(read('clock_skew_seconds')).toBe(-2.5)
  expect(read('heartbeat_timestamp_seconds{component="calico-node"}')).toBe(sampleNow / 1000)
  tell({ ...sampleEvents.login, expiresAtMs: undefined }, { ...sampleEvents.credential, expiresAtMs: undefined })
  expect(await value('vault_token_expiry_timestamp_seconds', '')).toBe(0)
  expect(await value('service_account_token_expiry_timestamp_seconds', '')).toBe(0)
})

test('Vault: the address that answers, and how often another one had to', async () => {
  tell({ type: 'vault-address', address: 'https://vault-1:8200', instead: [] }, sampleEvents['vault-address'])
  expect(await value('vault_address_info', '{address="https://vault-1:8200"}')).toBeUndefined()
  expect(await value('vault_address_info', '{address="https://vault-2:8200"}')).toBe(1)
  expect(await value('vault_failovers_total', '{reason="vault-sealed"}')).toBe(1)
})

test('the end of the service-account token is that of the file, whichever was used last', async () => {
  let expiryMs: number | undefined = sampleNow
  metrics = createToldMetrics({ components: [], version: '1', clock, credentialExpiryMs: () => expiryMs })
  tell(sampleEvents.credential)
  expect(await value('service_account_token_expiry_timestamp_seconds', '')).toBe(sampleNow / 1000)
  expiryMs = undefined
  expect(await value('service_account_token_expiry_timestamp_seconds', '')).toBe(0)
})

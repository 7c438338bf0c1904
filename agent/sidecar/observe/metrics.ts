/**
 * Owns the metrics, in Prometheus' base units, timestamps rather than remaining times: gauges of what is true of a target are read
 * from its state when they are asked for, counters count events.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import { addCaGauges } from './ca-metrics.ts'
import type { AgentEvent, Listener } from './events.ts'
import { isProvisionEvent } from './provision-events.ts'
import { createProvisionMetrics, type ProvisionMetricsOptions } from './provision-metrics.ts'
import { createStateGauges } from './state-gauges.ts'
import { createStoreMetrics } from './store-metrics.ts'
import { createVaultMetrics } from './vault-metrics.ts'

export interface Metrics {
  readonly listener: Listener
  /** The exposition for an Accept header: OpenMetrics if it is asked for, else the text format. */
  expose(accept: string): Promise<{ contentType: string; text: string }>
  /** What there is, also what has no sample yet. */
  families(): readonly MetricFamily[]
}

export interface MetricFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

export interface MetricsOptions {
  readonly components: readonly string[]
  readonly version: string
  readonly clock: Clock
  /** Reads the end of the service-account token, if there is one (vault-metrics.ts). */
  readonly credentialExpiryMs?: (() => number | undefined) | undefined
  /** Set for `provision watch`. */
  readonly provision?: ProvisionMetricsOptions
}

const prefix = 'calico_vault_agent_'

export function createMetrics({ components, version, clock, credentialExpiryMs, provision }: MetricsOptions): Metrics {
  const registry = new Registry()
  const registers = [registry]

  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: prefix + name, help, labelNames, registers })
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: prefix + name, help, labelNames, registers })
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name: prefix + name, help, labelNames, buckets, registers })

  const ofState = createStateGauges(registers, prefix)
  for (const component of components) ofState.tell(component, undefined)

  ofState.add('certificate_not_before_timestamp_seconds', 'Start of the published certificate.', (state) =>
    seconds(state?.certificate?.notBeforeMs),
  )
  ofState.add('certificate_not_after_timestamp_seconds', 'End of the published certificate.', (state) =>
    seconds(state?.certificate?.notAfterMs),
  )
  ofState.add('certificate_next_renewal_timestamp_seconds', 'When it is renewed by schedule.', (state) =>
    seconds(state?.certificate?.renewAtMs),
  )
  ofState.add(
    'certificate_runway_seconds',
    'Seconds until the published certificate stops working; 0 if there is none.',
    (state) => Math.max(0, (state?.certificate?.notAfterMs ?? 0) - clock.now()) / 1000,
  )
  const renewals = counter('renewals_total', 'Published certificates by reason.', ['component', 'reason'])
  const failures = counter('renewal_failures_total', 'Failed attempts by reason.', ['component', 'reason'])
  ofState.addMany(
    'renewal_failing',
    '1 while the last attempt failed, by its reason; no series if none failed.',
    ['about', 'reason'],
    ({ failure }) =>
      failure === undefined ? [] : [[{ about: reasons[failure.reason].about, reason: failure.reason }, 1]],
  )
  const rejections = counter('gate_rejections_total', 'Candidates that the gate refused, by reason.', [
    'component',
    'reason',
  ])
  const probes = counter('etcd_probes_total', 'Bundles that etcd was asked about, by its answer.', [
    'component',
    'outcome',
  ])
  ofState.add(
    'etcd_unproven',
    '1 if the published bundle was published although etcd did not accept it when asked.',
    (state) => state?.verification && (state.verification.isAccepted ? 0 : 1),
  )
  const lastSuccess = gauge('last_success_timestamp_seconds', 'When a bundle was published last.', ['component'])
  ofState.add('next_try_timestamp_seconds', 'When a failed renewal is tried again; 0 if none failed.', (state) =>
    seconds(state?.failure?.retryAtMs ?? 0),
  )
  const publishing = histogram(
    'publish_duration_seconds',
    'Time to write and swap one bundle.',
    [],
    [0.001, 0.005, 0.02, 0.1, 1],
  )
  addCaGauges(ofState)
  const caFailures = counter('ca_refresh_failures_total', 'Failed checks of the source or a CA file, by reason.', [
    'component',
    'reason',
  ])
  const heartbeat = gauge('heartbeat_timestamp_seconds', 'When the loop of the target ran last.', ['component'])
  const nodeInfo = gauge('node_info', 'Always 1, for the node of the agent.', ['node'])
  gauge('build_info', 'Always 1.', ['version', 'node_version']).set({ version, node_version: process.versions.node }, 1)

  // A counter that begins at 0 lets increase() see its first step.
  for (const component of components) {
    for (const reason of Object.keys(reasons) as ReasonCode[]) {
      if (reasons[reason].about === 'gate') rejections.inc({ component, reason }, 0)
    }
    renewals.inc({ component, reason: 'renewal-due' }, 0)
  }

  const toldByVault = createVaultMetrics(registers, credentialExpiryMs)
  const toldByStore = createStoreMetrics(registers, clock, ofState)
  const provisioned = provision && createProvisionMetrics(registers, clock, provision)

  function listener(event: AgentEvent): void {
    if (isProvisionEvent(event)) return provisioned?.(event)
    switch (event.type) {
      case 'state':
        return ofState.tell(event.component, event.state)
      case 'published':
        renewals.inc({ component: event.component, reason: event.reason })
        lastSuccess.set({ component: event.component }, clock.now() / 1000)
        return publishing.observe(event.durationMs / 1000)
      case 'renewal-failed': {
        const labels = { component: event.component, reason: event.reason }
        failures.inc(labels)
        if (reasons[event.reason].about === 'gate') rejections.inc(labels)
        return undefined
      }
      case 'probed':
        return probes.inc({ component: event.component, outcome: event.outcome })
      case 'store-flaw':
      case 'on-publish-done':
      case 'on-publish-failed':
      case 'host-copied':
      case 'host-copy-failed':
        return toldByStore(event)
      case 'ca-refresh-failed':
        return caFailures.inc({ component: event.component, reason: event.reason })
      case 'vault-request':
      case 'vault-address':
      case 'login':
      case 'token':
      case 'credential':
      case 'clock-skew':
        return toldByVault(event)
      case 'heartbeat':
        return heartbeat.set({ component: event.component }, clock.now() / 1000)
      case 'started':
        return nodeInfo.set({ node: event.node }, 1)
      case 'found':
      case 'recovered':
      case 'listening':
      case 'listen-failed':
      case 'long-name':
      case 'issued':
      case 'fallback-failed':
      case 'watch-failed':
      case 'stopped':
        return undefined
    }
  }

  return {
    listener,
    async expose(accept) {
      const text = await registry.metrics()
      return accept.includes('application/openmetrics-text')
        ? { contentType: Registry.OPENMETRICS_CONTENT_TYPE, text: toOpenMetrics(text) }
        : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, text }
    },
    // prom-client types what it returns as less than it is.
    families: () => registry.getMetricsAsArray() as unknown as readonly MetricFamily[],
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}

/**
 * The same in OpenMetrics: counters are announced without `_total`, no empty lines, an end. prom-client could do it, but
 * renames the counters for good when it does, so that the next scrape in the text format finds them without `_total`.
 */
function toOpenMetrics(text: string): string {
  return `${text.replaceAll(/^# (HELP|TYPE) (\w+)_total /gm, '# $1 $2 ').replaceAll('\n\n', '\n')}# EOF\n`
}

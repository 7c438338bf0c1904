/** Owns the metrics: what the events say, in Prometheus' base units, timestamps rather than remaining times. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import { createCaMetrics } from './ca-metrics.ts'
import type { AgentEvent, Listener, PublishedCertificate } from './events.ts'
import { isProvisionEvent } from './provision-events.ts'
import { createProvisionMetrics, type ProvisionMetricsOptions } from './provision-metrics.ts'
import { createStoreMetrics } from './store-metrics.ts'
import { createVaultMetrics } from './vault-metrics.ts'

export interface Metrics {
  readonly listener: Listener
  /** The exposition for an Accept header: OpenMetrics where it is asked for, else the text format. */
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
  /** Reads the end of the service-account token, where there is one (vault-metrics.ts). */
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

  const notBefore = gauge('certificate_not_before_timestamp_seconds', 'Start of the published certificate.', [
    'component',
  ])
  const notAfter = gauge('certificate_not_after_timestamp_seconds', 'End of the published certificate.', ['component'])
  const nextRenewal = gauge('certificate_next_renewal_timestamp_seconds', 'When it is renewed by schedule.', [
    'component',
  ])
  const ends = new Map<string, number>()
  const runway = new Gauge({
    name: `${prefix}certificate_runway_seconds`,
    help: 'Seconds until the published certificate stops working; 0 where there is none.',
    labelNames: ['component'],
    registers,
    collect() {
      for (const component of components) {
        runway.set({ component }, Math.max(0, (ends.get(component) ?? 0) - clock.now()) / 1000)
      }
    },
  })
  const renewals = counter('renewals_total', 'Published certificates by reason.', ['component', 'reason'])
  const failures = counter('renewal_failures_total', 'Failed attempts by reason.', ['component', 'reason'])
  const failing = gauge(
    'renewal_failing',
    '1 while the last attempt failed, by its reason; no series where none failed.',
    ['component', 'about', 'reason'],
  )
  const rejections = counter('gate_rejections_total', 'Candidates that the gate refused, by reason.', [
    'component',
    'reason',
  ])
  const probes = counter('etcd_probes_total', 'Bundles that etcd was asked about, by its answer.', [
    'component',
    'outcome',
  ])
  const unproven = gauge(
    'etcd_unproven',
    '1 where the published bundle was published although etcd did not accept it when it was asked.',
    ['component'],
  )
  const lastSuccess = gauge('last_success_timestamp_seconds', 'When a bundle was published last.', ['component'])
  const nextTry = gauge('next_try_timestamp_seconds', 'When a failed renewal is tried again; 0 where none failed.', [
    'component',
  ])
  const publishing = histogram(
    'publish_duration_seconds',
    'Time to write and swap one bundle.',
    [],
    [0.001, 0.005, 0.02, 0.1, 1],
  )
  const tellCa = createCaMetrics(registers, components)
  const caFailures = counter('ca_refresh_failures_total', 'Looks at the source or a CA file that failed, by reason.', [
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
    nextTry.set({ component }, 0)
  }

  function setCertificate(component: string, certificate: PublishedCertificate): void {
    ends.set(component, certificate.notAfterMs)
    notBefore.set({ component }, certificate.notBeforeMs / 1000)
    notAfter.set({ component }, certificate.notAfterMs / 1000)
    nextRenewal.set({ component }, certificate.renewAtMs / 1000)
    tellCa(component, certificate.ca)
  }

  const failingFor = new Map<string, ReasonCode>()

  function setFailure(component: string, reason: ReasonCode | undefined, retryAtMs: number): void {
    const labels = (code: ReasonCode) => ({ component, about: reasons[code].about, reason: code })
    const before = failingFor.get(component)
    if (before !== undefined && before !== reason) failing.remove(labels(before))
    if (reason === undefined) failingFor.delete(component)
    else {
      failingFor.set(component, reason)
      failing.set(labels(reason), 1)
    }
    nextTry.set({ component }, retryAtMs / 1000)
  }

  const toldByVault = createVaultMetrics(registers, credentialExpiryMs)
  const toldByStore = createStoreMetrics(registers, clock)
  const provisioned = provision && createProvisionMetrics(registers, clock, provision)

  function listener(event: AgentEvent): void {
    if (isProvisionEvent(event)) return provisioned?.(event)
    switch (event.type) {
      case 'found':
        setFailure(event.component, undefined, 0)
        return setCertificate(event.component, event.certificate)
      case 'published':
        renewals.inc({ component: event.component, reason: event.reason })
        lastSuccess.set({ component: event.component }, clock.now() / 1000)
        publishing.observe(event.durationMs / 1000)
        // A cached certificate went into place because Vault does not answer; that is still so.
        if (event.isFallback !== true) setFailure(event.component, undefined, 0)
        return setCertificate(event.component, event.certificate)
      case 'renewal-failed': {
        const labels = { component: event.component, reason: event.reason }
        failures.inc(labels)
        if (reasons[event.reason].about === 'gate') rejections.inc(labels)
        return setFailure(event.component, event.reason, event.retryAtMs)
      }
      case 'probed':
        probes.inc({ component: event.component, outcome: event.outcome })
        if (event.verdict === 'refuse') return undefined
        return unproven.set({ component: event.component }, event.verdict === 'unverified' ? 1 : 0)
      case 'issuance-budget':
      case 'store-flaw':
      case 'host-copied':
      case 'host-copy-failed':
        return toldByStore(event)
      case 'recovered':
        return setFailure(event.component, undefined, 0)
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

/**
 * The same in OpenMetrics: counters are announced without `_total`, no empty lines, an end. prom-client could do it, but
 * renames the counters for good when it does, so that the next scrape in the text format finds them without `_total`.
 */
function toOpenMetrics(text: string): string {
  return `${text.replaceAll(/^# (HELP|TYPE) (\w+)_total /gm, '# $1 $2 ').replaceAll('\n\n', '\n')}# EOF\n`
}

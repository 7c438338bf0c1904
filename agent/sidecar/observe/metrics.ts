/**
 * Owns which metrics there are, in Prometheus' base units, with moments rather than remaining times: readings of what is true of a target,
 * and what is made of each event.
 */
import type { Clock } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { TargetView } from './events.ts'
import { createMetricRegistry, type MetricRegistry, one, zero } from './metric-registry.ts'
import type { Present } from './present.ts'
import { addProvisionMetrics, type ProvisionMetricsOptions } from './provision-metrics.ts'
import { addVaultMetrics, type VaultMetricsOptions } from './vault-metrics.ts'

export type Metrics = Pick<MetricRegistry, 'listener' | 'expose' | 'families'>

export interface MetricsOptions extends VaultMetricsOptions {
  readonly present: Pick<Present, 'targets' | 'vaultAddress'>
  readonly version: string
  readonly clock: Clock
  /** Set for `provision watch`. */
  readonly provision?: ProvisionMetricsOptions
}

/** Labels are bounded; a set with more is no set for one cluster, and `ca_certificates` tells how many there are. */
const mostCaLabels = 20

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = createMetricRegistry('calico_vault_agent_')
  addTargetMetrics(registry, options)
  addVaultMetrics(registry, options)
  addStoreMetrics(registry, options)
  if (options.provision !== undefined) addProvisionMetrics(registry, options.clock, options.provision)
  return registry
}

function addTargetMetrics(registry: MetricRegistry, { present, version, clock }: MetricsOptions): void {
  const { counter, gauge, histogram, reading } = registry
  const ofTarget = readingOfTarget(registry, present)
  const now = (): number => clock.now() / 1000

  ofTarget('certificate_not_before_timestamp_seconds', 'Start of the published certificate.', ({ certificate }) =>
    seconds(certificate?.notBeforeMs),
  )
  ofTarget('certificate_not_after_timestamp_seconds', 'End of the published certificate.', ({ certificate }) =>
    seconds(certificate?.notAfterMs),
  )
  ofTarget('certificate_next_renewal_timestamp_seconds', 'When it is renewed by schedule.', ({ certificate }) =>
    seconds(certificate?.renewAtMs),
  )
  ofTarget(
    'certificate_runway_seconds',
    'Seconds until the published certificate stops working; 0 if there is none.',
    ({ certificate }) => Math.max(0, (certificate?.notAfterMs ?? 0) - clock.now()) / 1000,
  )
  const renewals = counter('renewals_total', 'Published certificates by reason.', ['component', 'reason'], {
    published: one,
  })
  counter('renewal_failures_total', 'Failed attempts by reason.', ['component', 'reason'], { 'renewal-failed': one })
  reading(
    'renewal_failing',
    '1 while the last attempt failed, by its reason; no series if none failed.',
    ['component', 'about', 'reason'],
    () =>
      statesOf(present).flatMap(({ component, failure }) =>
        failure ? [[{ component, about: reasons[failure.reason].about, reason: failure.reason }, 1]] : [],
      ),
  )
  const rejections = counter(
    'gate_rejections_total',
    'Candidates that the gate refused, by reason.',
    ['component', 'reason'],
    { 'renewal-failed': ({ reason }) => (reasons[reason].about === 'gate' ? 1 : undefined) },
  )
  counter('etcd_probes_total', 'Bundles that etcd was asked about, by its answer.', ['component', 'outcome'], {
    probed: one,
  })
  ofTarget(
    'etcd_unproven',
    '1 if the published bundle was published although etcd did not accept it when asked.',
    ({ verification }) => verification && (verification.isAccepted ? 0 : 1),
  )
  gauge('last_success_timestamp_seconds', 'When a bundle was published last.', ['component'], { published: now })
  ofTarget('next_try_timestamp_seconds', 'When a failed renewal is tried again; 0 if none failed.', ({ failure }) =>
    seconds(failure?.retryAtMs ?? 0),
  )
  histogram([0.001, 0.005, 0.02, 0.1, 1])('publish_duration_seconds', 'Time to write and swap one bundle.', [], {
    published: ({ durationMs }) => durationMs / 1000,
  })
  // What a CA rotation is followed by (docs/ca-rotation.md).
  ofTarget('ca_certificates', 'CA certificates in etcd-ca.', ({ certificate }) => certificate?.ca.count)
  ofTarget('ca_earliest_expiry_timestamp_seconds', 'End of the CA certificate that ends first.', ({ certificate }) =>
    seconds(certificate?.ca.earliestExpiryMs),
  )
  ofTarget(
    'ca_changed_since_start',
    '1 if etcd-ca has changed since the agent started: consumers read it only at their start.',
    ({ certificate }) => (certificate?.ca.changedSinceStart === true ? 1 : 0),
  )
  ofTarget(
    'ca_added_timestamp_seconds',
    'When a CA certificate was last added to etcd-ca; after a restart of the agent, when that was written. Consumers that started later have all.',
    ({ certificate }) => seconds(certificate?.ca.addedAtMs),
  )
  reading(
    'ca_in_use_until_timestamp_seconds',
    'For each CA certificate in etcd-ca: when the last certificate that chains to it ends; 0 if none does.',
    ['component', 'fingerprint', 'subject'],
    () =>
      statesOf(present).flatMap(({ component, certificate }) =>
        (certificate?.ca.certificates ?? [])
          .slice(0, mostCaLabels)
          .map(({ fingerprint, subject, inUseUntilMs }) => [{ component, fingerprint, subject }, inUseUntilMs / 1000]),
      ),
  )
  counter(
    'ca_refresh_failures_total',
    'Failed checks of the source or a CA file, by reason.',
    ['component', 'reason'],
    { 'ca-refresh-failed': one },
  )
  gauge('heartbeat_timestamp_seconds', 'When the loop of the target ran last.', ['component'], { heartbeat: now })
  gauge('node_info', 'Always 1, for the node of the agent.', ['node'], { started: one })
  reading('build_info', 'Always 1.', ['version', 'node_version'], () => [
    [{ version, node_version: process.versions.node }, 1],
  ])

  // A counter that begins at 0 lets increase() see its first step.
  for (const component of present.targets.keys()) {
    for (const reason of Object.keys(reasons) as ReasonCode[]) {
      if (reasons[reason].about === 'gate') rejections.inc({ component, reason }, 0)
    }
    renewals.inc({ component, reason: 'renewal-due' }, 0)
  }
}

/** What is beside the certificate: the issuance budget, flaws, the CNI plugin's copy, AGENT_ON_PUBLISH. */
function addStoreMetrics(registry: MetricRegistry, { present, clock }: MetricsOptions): void {
  const { counter, gauge } = registry
  readingOfTarget(registry, present)(
    'issuance_budget_remaining',
    'Certificates that may still be made within the hour; at 0, renewals wait until they are needed to stay valid.',
    ({ budget }) => budget && Math.max(0, budget.limit - budget.spentUntilMs.filter((ms) => ms > clock.now()).length),
  )
  counter('store_flaws_total', 'Flaws of the directory that stop nothing, by reason.', ['component', 'reason'], {
    'store-flaw': one,
  })
  gauge(
    'host_copy_in_step',
    "1 if the CNI plugin's copy holds what is published, 0 if it is stale or absent; only with AGENT_HOST_CNI_DIR.",
    ['component'],
    { 'host-copied': one, 'host-copy-failed': zero },
  )
  gauge(
    'host_copy_not_after_timestamp_seconds',
    "End of the certificate that was last seen in the CNI plugin's copy.",
    ['component'],
    { 'host-copied': ({ notAfterMs }) => notAfterMs / 1000 },
  )
  counter('host_copy_writes_total', "Times that the CNI plugin's copy was written.", ['component'], {
    'host-copied': ({ written }) => (written ? 1 : 0),
  })
  counter('host_copy_failures_total', "Failed updates of the CNI plugin's copy, by reason.", ['component', 'reason'], {
    'host-copy-failed': one,
  })
  gauge(
    'on_publish_failing',
    '1 while consumers could not be told of what was published, 0 once they have been; only with AGENT_ON_PUBLISH.',
    ['component'],
    { 'on-publish-done': zero, 'on-publish-failed': one },
  )
  counter('on_publish_total', 'Times that consumers were told of what was published.', ['component'], {
    'on-publish-done': one,
    // The counter begins at 0.
    'on-publish-failed': zero,
  })
  counter('on_publish_failures_total', 'Times that consumers could not be told, by reason.', ['component', 'reason'], {
    'on-publish-failed': one,
  })
}

/** How a gauge is declared that is read from the state of each target: one series for each of which `read` knows something. */
function readingOfTarget({ reading }: MetricRegistry, present: MetricsOptions['present']) {
  return (name: string, help: string, read: (state: Partial<TargetView>) => number | undefined): void =>
    reading(name, help, ['component'], () =>
      statesOf(present).flatMap(({ component, ...state }) => {
        const value = read(state)
        return value === undefined ? [] : [[{ component }, value]]
      }),
    )
}

/** Of a target of which nothing is known yet, the component alone. */
function statesOf({ targets }: MetricsOptions['present']): (Partial<TargetView> & { readonly component: string })[] {
  return [...targets].map(([component, { state }]) => ({ component, ...state }))
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}

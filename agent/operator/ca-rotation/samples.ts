/** Owns samples of metrics: reading Prometheus' text format, and what the samples of one agent say. Pure. */
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { CaUse } from '../../pki/ca-set.ts'
import type { AgentView, ComponentView } from './state.ts'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const prefix = 'calico_vault_agent_'
/** Those that a rotation is followed by: an expression for names of metrics. */
export const neededMetrics = `${prefix}(node_info|ca_.+|host_copy_in_step|renewal_failing|heartbeat_.+)`

const refusedByEtcd: ReasonCode = 'etcd-rejected-certificate'

/** What is no sample (comments, other metrics' oddities) is passed over. https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function parseSamples(text: string): Sample[] {
  const lines = text.matchAll(/^(\w+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/gm)
  return [...lines].map(([, name = '', labels = '', value]) => ({
    name,
    labels: parseLabels(labels),
    value: Number(value),
  }))
}

function parseLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  const unescape = (value: string): string =>
    value.replaceAll(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign))
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescape(value)]))
}

/**
 * Undefined if none of them is an agent's.
 * @param startedAtMs when the program beside the agent started, by component, as far as somebody knows
 */
export function viewOf(
  where: string,
  samples: readonly Sample[],
  startedAtMs: (component: string) => number | undefined = () => undefined,
): AgentView | undefined {
  const own = samples.filter(({ name }) => name.startsWith(prefix))
  if (own.length === 0) return undefined
  const named = (name: string): Sample[] => own.filter((sample) => sample.name === prefix + name)
  // Every component has this one, also before its first certificate.
  const components = new Set(named('ca_changed_since_start').map(({ labels }) => labels['component'] ?? ''))
  const targets = [...components].toSorted().map((component): ComponentView => {
    const ofIt = (name: string): Sample[] => named(name).filter(({ labels }) => labels['component'] === component)
    const value = (name: string): number | undefined => ofIt(name)[0]?.value
    const copy = value('host_copy_in_step')
    return {
      component,
      ca: ofIt('ca_in_use_until_timestamp_seconds').map(useOf),
      caCount: value('ca_certificates') ?? 0,
      addedAtMs: (value('ca_added_timestamp_seconds') ?? 0) * 1000,
      changedSinceStart: value('ca_changed_since_start') === 1,
      isCopyInStep: copy === undefined ? undefined : copy === 1,
      isRefusedByEtcd: ofIt('renewal_failing').some(
        ({ labels, value: failing }) => failing === 1 && labels['reason'] === refusedByEtcd,
      ),
      consumerStartedAtMs: startedAtMs(component),
    }
  })
  const heartbeats = named('heartbeat_timestamp_seconds').map(({ value }) => value * 1000)
  const heardAtMs = heartbeats.length === 0 ? undefined : Math.max(...heartbeats)
  return { where, node: named('node_info')[0]?.labels['node'], heardAtMs, targets }
}

function useOf({ labels, value }: Sample): CaUse {
  // NaN would be before every time.
  const inUseUntilMs = Number.isNaN(value) ? Number.POSITIVE_INFINITY : value * 1000
  return { fingerprint: labels['fingerprint'] ?? '', subject: labels['subject'] ?? '', inUseUntilMs }
}

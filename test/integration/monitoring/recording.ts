/**
 * Owns what Prometheus would have of an agent: scrape after scrape of its real output, as the input series of Prometheus' rule
 * tests. Those begin at the epoch, so moments are moved there.
 * @see https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
 */
import type { FakeClock } from '../../support/fake-clock.ts'
import { parseExposition } from '../../unit/sidecar/observe/exposition.ts'

/** Labels that Prometheus adds to everything from one agent. */
export type TargetLabels = Readonly<Record<string, string>>

export interface InputSeries {
  readonly series: string
  readonly values: string
}

export interface Recording {
  /** Minutes that are recorded. */
  readonly minutes: number
  /** To be called once a minute. */
  add(exposition: string): void
  as(target: TargetLabels): InputSeries[]
}

/** @param startMs the moment of the first scrape */
export function createRecording(startMs: number): Recording {
  const scrapes: ReadonlyMap<string, number>[] = []

  const moved = (sample: string, value: number): number =>
    /^\w+_timestamp_seconds(\{|$)/.test(sample) && value > 0 ? value - startMs / 1000 : value

  /** Where a series ends, Prometheus marks it as stale, and so do we. */
  function valueAt(sample: string, minute: number): string {
    const value = scrapes[minute]?.get(sample)
    if (value !== undefined) return `${moved(sample, value)}`
    return scrapes[minute - 1]?.has(sample) === true ? 'stale' : '_'
  }

  return {
    get minutes() {
      return scrapes.length
    },
    add: (exposition) => {
      scrapes.push(parseExposition(exposition, 'text').samples)
    },
    as: (target) => {
      const samples = new Set(scrapes.flatMap((scrape) => [...scrape.keys()]))
      return [...samples].map((sample) => ({
        series: withLabels(sample, target),
        values: scrapes.map((_, minute) => valueAt(sample, minute)).join(' '),
      }))
    },
  }
}

/** Scrapes once a minute while nothing else happens. */
export async function recordMinutes(
  recording: Recording,
  minutes: number,
  scrape: () => Promise<string>,
  clock: Pick<FakeClock, 'advance'>,
): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    recording.add(await scrape())
    clock.advance(60_000)
  }
}

/** One value for as many minutes. */
export function constant(name: string, labels: TargetLabels, value: number, minutes: number): InputSeries {
  return { series: withLabels(name, labels), values: `${value}x${minutes - 1}` }
}

/** What Prometheus knows of the agent on a node: a pod of calico-node. */
export function targetOf(node: string): TargetLabels {
  return {
    job: 'kube-system/calico-vault-agent',
    namespace: 'kube-system',
    pod: `calico-node-${node}`,
    node,
    instance: `${node}:9879`,
  }
}

/** What kube-state-metrics says of the pod of calico-node on a node. */
export function podOf(node: string, phase: 'Running' | 'Pending', minutes: number): InputSeries[] {
  const { namespace = '', pod = '' } = targetOf(node)
  const owner = { created_by_kind: 'DaemonSet', created_by_name: 'calico-node' }
  return [
    constant('kube_pod_info', { namespace, pod, node, ...owner }, 1, minutes),
    constant('kube_pod_status_phase', { namespace, pod, phase }, 1, minutes),
  ]
}

function withLabels(sample: string, labels: TargetLabels): string {
  const [, name = '', own = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(sample) ?? []
  const added = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  // As Prometheus does with a label of the same name, unless it is told to honor it.
  const renamed = own.replaceAll(/(\w+)(?==")/g, (label) => (label in labels ? `exported_${label}` : label))
  return `${name}{${[...(renamed === '' ? [] : [renamed]), ...added].join(',')}}`
}

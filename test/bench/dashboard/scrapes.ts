/**
 * Owns what Prometheus would have scraped of a simulated fleet: the real metrics of every agent, fed with the events that the agent
 * would have told, as OpenMetrics with timestamps.
 */
import type { Clock } from '../../../agent/core/clock.ts'
import type { AgentEvent, PublishedCertificate, TargetView } from '../../../agent/sidecar/observe/events.ts'
import type { Metrics } from '../../../agent/sidecar/observe/metrics.ts'
import type { Operation } from '../../../agent/vault/vault-event.ts'
import { createToldMetrics } from '../../support/told-metrics.ts'
import { createRandom } from '../fleet/random.ts'
import type { Fleet } from '../fleet/scenarios.ts'
import type { Witness } from '../fleet/simulation.ts'

export interface ScrapeOptions {
  readonly fleet: Fleet
  readonly startMs: number
  readonly intervalMs: number
  /** Names without prefix: what nobody will ask for is left out, as the file has a line a sample. */
  readonly isWanted: (metric: string) => boolean
  /** Takes the lines of one scrape of everybody. */
  readonly write: (lines: string) => void
}

export interface Scrapes {
  readonly witness: Witness
  /** Scrapes until then. */
  finish(endMs: number): Promise<void>
}

/** Milliseconds that half of the requests take. */
const medianMs: Readonly<Partial<Record<Operation, number>>> = { issuers: 4, issuer: 5, login: 14, sign: 30 }
const tokenSeconds = 600

export function createScrapes({ fleet, startMs, intervalMs, isWanted, write }: ScrapeOptions): Scrapes {
  const { nodes, components, seed } = fleet
  let nowMs = startMs
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, sleep: () => Promise.resolve() }
  const random = createRandom(seed + 1)
  // The kubelet renews each token at a moment of its own.
  const credentialExpiryMs = (phase: number) => (): number => {
    const ageMs = (nowMs + phase * 1000) % (tokenSeconds * 800)
    return nowMs - ageMs + tokenSeconds * 1000
  }
  const agents = Array.from({ length: nodes }, (_, index) => ({
    name: `node-${index}`,
    metrics: createToldMetrics({
      components,
      version: '0.1.0',
      clock,
      credentialExpiryMs: credentialExpiryMs(index * 37),
    }),
  }))
  /** What has happened since the last scrape: metrics are read asynchronously, the simulation runs on. */
  const story: { readonly atMs: number; readonly node: number; readonly event: AgentEvent }[] = []

  const tell = (id: number, atMs: number, ...events: readonly AgentEvent[]): void => {
    for (const event of events) story.push({ atMs, node: Math.floor(id / components.length), event })
  }
  const componentOf = (id: number): string => components[id % components.length] ?? ''

  function request(operation: Operation, outcome = 'ok'): AgentEvent {
    const durationMs = (medianMs[operation] ?? 5) * Math.exp(0.5 * (random() + random() + random() - 1.5) * 2)
    return { type: 'vault-request', operation, outcome, durationMs }
  }

  const certificates = new Map<number, PublishedCertificate>()
  function stateOf(id: number, failure: TargetView['failure']): AgentEvent {
    const known = { certificate: certificates.get(id), failure, verification: undefined, budget: undefined }
    return { type: 'state', component: componentOf(id), state: known }
  }

  const skew = (): AgentEvent => ({ type: 'clock-skew', skewMs: Math.round((random() - 0.5) * 800) })

  const witness: Witness = {
    signed: (id, atMs, { notBeforeMs, notAfterMs, renewAtMs }) => {
      const isFirst = atMs - startMs < intervalMs
      const ca = {
        count: 1,
        earliestExpiryMs: startMs + 8.64e10,
        changedSinceStart: false,
        addedAtMs: startMs,
        certificates: [],
      }
      const certificate = { serialNumber: '', notBeforeMs, notAfterMs, renewAtMs, ca }
      const reason = isFirst ? 'never-published' : 'renewal-due'
      const component = componentOf(id)
      certificates.set(id, certificate)
      tell(id, atMs, request('issuers'), request('login'), request('sign'), skew(), stateOf(id, undefined), {
        type: 'published',
        component,
        reason,
        durationMs: 3,
        certificate,
      })
    },
    failed: (id, atMs, retryAtMs, notAfterMs) => {
      const component = componentOf(id)
      const reason = 'vault-sealed'
      const failure = { reason, detail: '', retryAtMs, notAfterMs, lifetimeMs: fleet.ttlMs } as const
      const told = stateOf(id, { reason, detail: '', atMs, firstAtMs: atMs, retryAtMs })
      tell(id, atMs, request('issuers', reason), told, { type: 'renewal-failed', component, ...failure })
    },
    polled: (id, atMs, isAnswered) => {
      tell(id, atMs, request('issuers', isAnswered ? 'ok' : 'vault-sealed'), ...(isAnswered ? [skew()] : []))
    },
  }

  async function scrape(): Promise<void> {
    const atMs = nowMs
    for (const { metrics } of agents) {
      // Every loop sleeps for 30 s at most.
      nowMs = atMs - Math.round(random() * 30_000)
      for (const component of components) metrics.listener({ type: 'heartbeat', component, nextStepAtMs: nowMs })
    }
    nowMs = atMs
    const texts = await Promise.all(agents.map(({ name, metrics }) => scrapeOne(name, metrics)))
    write(texts.join(''))
  }

  async function scrapeOne(node: string, metrics: Metrics): Promise<string> {
    const { text } = await metrics.expose('')
    const labels = `node="${node}",instance="${node}:9879",job="calico-vault-agent"`
    return text
      .split('\n')
      .map((line) => /^(calico_vault_agent_(\w+?))(?:\{(.*)\})? (\S+)$/.exec(line))
      .filter((found) => found !== null && isWanted(found[2] ?? ''))
      .map(
        (found) =>
          `${found?.[1]}{${found?.[3] === undefined ? '' : `${found[3]},`}${labels}} ${found?.[4]} ${nowMs / 1000}\n`,
      )
      .join('')
  }

  return {
    witness,
    async finish(endMs) {
      let told = 0
      for (let atMs = startMs + intervalMs; atMs <= endMs; atMs += intervalMs) {
        for (; (story[told]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs; told++) {
          const { node, event, atMs: eventMs } = story[told] as (typeof story)[number]
          nowMs = eventMs
          agents[node]?.metrics.listener(event)
        }
        nowMs = atMs
        await scrape()
      }
      write('# EOF\n')
    },
  }
}

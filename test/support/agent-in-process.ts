/**
 * Owns a whole agent inside the test's process: everything that `run` composes but the signals and the HTTP server. Its events
 * can be waited for, one after the other, and its time may be the test's. It is stopped when the test ends.
 */
import { onTestFinished } from 'vitest'
import { type Config, parseConfig } from '../../agent/config/config.ts'
import { type Clock, systemClock } from '../../agent/core/clock.ts'
import { tellConsumers, watched } from '../../agent/sidecar/background.ts'
import { keepHostCopy } from '../../agent/sidecar/host-copy.ts'
import { describe as describeEvent } from '../../agent/sidecar/observe/describe.ts'
import { type AgentEvent, createEventHub } from '../../agent/sidecar/observe/events.ts'
import { createHealth, type ProbeAnswer } from '../../agent/sidecar/observe/health.ts'
import type { LogLine } from '../../agent/sidecar/observe/log-line.ts'
import { createMetrics } from '../../agent/sidecar/observe/metrics.ts'
import { createPresent } from '../../agent/sidecar/observe/present.ts'
import { type Agent, createAgent } from '../../agent/sidecar/sidecar.ts'
import { watchFiles } from '../../agent/sidecar/store/watch.ts'
import { readTokenExpiryMs } from '../../agent/vault/credentials.ts'
import type { OnEnd } from './temp-dir.ts'

export type AgentEnvironment = Readonly<Record<string, string>>

export interface AgentInProcessOptions {
  readonly clock?: Clock
  /** Watches files as `run` does; resolves once no change can be missed. */
  readonly watch?: boolean
  /** Default: the end of the test that runs now. */
  readonly onEnd?: OnEnd
}

export interface AgentInProcess {
  readonly config: Config
  readonly events: readonly AgentEvent[]
  readonly log: readonly LogLine[]
  renewNow(): void
  /**
   * The first event of the type, after the one that this answered last, for which `fits` holds: past or future.
   * Rejects after ten seconds with what has happened instead.
   */
  nextEvent<Type extends AgentEvent['type']>(
    type: Type,
    fits?: (event: Extract<AgentEvent, { type: Type }>) => boolean,
  ): Promise<Extract<AgentEvent, { type: Type }>>
  /** What has happened until now is not waited for any more. */
  skipEvents(): void
  probe(name: 'startupz' | 'livez' | 'readyz'): ProbeAnswer
  /** The value of one sample, such as `ca_certificates{component="calico-node"}`; undefined where there is none. */
  metric(sample: string): Promise<number | undefined>
  /** What a scrape reads. */
  readonly scrape: () => Promise<string>
  stop(): Promise<void>
}

const patienceMs = 10_000

export async function startAgent(
  environment: AgentEnvironment,
  { clock = systemClock, watch = false, onEnd = onTestFinished }: AgentInProcessOptions = {},
): Promise<AgentInProcess> {
  const config = parseConfig(environment, 'no-node-name')
  const components = config.targets.map(({ component }) => component)
  const hub = createEventHub()
  const credentialExpiryMs = (): number | undefined => config.auth && readTokenExpiryMs(config.auth)
  const present = createPresent(components, clock)
  const metrics = createMetrics({ present, version: 'test', clock, credentialExpiryMs })
  const health = createHealth(config.targets, present, clock, config.vault?.timeoutMs ?? 0)
  const events: AgentEvent[] = []
  const log: LogLine[] = []
  const waiting = new Set<() => void>()
  // `run` tells it to all listeners.
  metrics.listener({ type: 'started', version: 'test', node: config.node, authMethod: '', targets: [] })
  let seen = 0
  hub.attach((event) => {
    present.listener(event)
    metrics.listener(event)
    const line = describeEvent(event, clock.now())
    if (line !== undefined) log.push(line)
    events.push(event)
    for (const look of waiting) look()
  })

  const agent = createAgent({ config, clock, random: () => 0.5, emit: hub.emit })
  const published = (component: string) => agent.published(component)
  const stopCopying = keepHostCopy({ config, hub, clock, published, random: () => 0.5 })
  const telling = tellConsumers({ config, hub, clock, random: () => 0.5 })
  if (telling !== undefined) hub.attach(telling.listener)
  const stopWatching = watch ? await watchAll(config, agent) : () => {}
  const stopping = new AbortController()
  const running = agent.run(stopping.signal)
  // A bug that ends the agent is told by `stop`, in the test that started it.
  running.catch(() => {})
  const stop = async (): Promise<void> => {
    stopWatching()
    stopCopying()
    telling?.stop()
    stopping.abort()
    await running
  }
  onEnd(stop)

  const nextEvent: AgentInProcess['nextEvent'] = (type, fits = () => true) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const index = events.findIndex((event, at) => at >= seen && event.type === type && fits(event as never))
        if (index < 0) return
        finish()
        seen = index + 1
        resolve(events[index] as never)
      }
      const finish = (): void => {
        waiting.delete(look)
        clearTimeout(timer)
      }
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`no event ${type} within ${patienceMs} ms, but\n${summary(events.slice(seen))}`))
      }, patienceMs)
      waiting.add(look)
      look()
    })

  const scrape = async (): Promise<string> => (await metrics.expose('')).text

  return {
    config,
    events,
    log,
    renewNow: () => agent.renewNow(),
    nextEvent,
    skipEvents: () => {
      seen = events.length
    },
    probe: (name) => health.probe(name),
    scrape,
    async metric(sample) {
      const line = (await scrape()).split('\n').find((each) => each.startsWith(`calico_vault_agent_${sample} `))
      return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')))
    },
    stop,
  }
}

/** As agent/sidecar/background.ts does; here the test waits until the watch has begun. */
async function watchAll(config: Config, agent: Agent): Promise<() => void> {
  const failed = (detail: string): void => {
    throw new Error(detail)
  }
  return await new Promise((resolve) => {
    const close = watchFiles(watched(config), {
      changed: () => agent.recheck(),
      failed,
      ready: () => resolve(close),
    })
  })
}

function summary(events: readonly AgentEvent[]): string {
  return events
    .filter(({ type }) => type !== 'heartbeat' && type !== 'clock-skew')
    .map((event) => JSON.stringify(event))
    .join('\n')
}

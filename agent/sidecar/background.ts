/**
 * Owns what stays in memory beside the rotation: log, metrics, health, the HTTP server and the file watcher. It is a bundle
 * of its own that is loaded after the first certificate, so that none of it stands in the way.
 */
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import type { Bundle } from '../pki/bundle.ts'
import { readTokenExpiryMs } from '../vault/credentials.ts'
import { keepHostCopy } from './host-copy.ts'
import { credentialFiles } from './inputs.ts'
import { readContainer } from './observe/container.ts'
import type { AgentEvent, EventHub, Listener } from './observe/events.ts'
import { createHealth, createProvisionHealth } from './observe/health.ts'
import { createLog } from './observe/log.ts'
import { createMetrics } from './observe/metrics.ts'
import { createPresent } from './observe/present.ts'
import type { ProvisionMetricsOptions } from './observe/provision-metrics.ts'
import { type StatusPath, startObserveServer } from './observe/server.ts'
import { watchFiles } from './store/watch.ts'

export { watchFiles } from './store/watch.ts'

export interface BackgroundOptions {
  readonly config: Config
  readonly hub: EventHub
  readonly clock: Clock
  readonly version: string
  /** Called when a watched file has changed. */
  readonly changed: () => void
  /** What stands in a component's directory and has passed the gate. */
  readonly published: (component: string) => Bundle | undefined
  /** From 0 to 1; only the retries after failures use it. */
  readonly random: () => number
}

export function startBackground(options: BackgroundOptions): void {
  const { config, hub, clock, version, changed } = options
  const alsoTold = tellConsumers(options)?.listener
  observe({ agent: config, output: config, hub, clock, version, ...(alsoTold && { alsoTold }) })
  watchFiles(watched(config), { changed, failed: (detail) => hub.emit({ type: 'watch-failed', detail }) })
  keepHostCopy(options)
}

export interface ObserveOptions extends Pick<BackgroundOptions, 'hub' | 'clock' | 'version'> {
  /** Undefined if the program has no target: `provision watch` with a certificate from elsewhere. */
  readonly agent: Config | undefined
  readonly output: Pick<Config, 'listen' | 'log'>
  /** Set for `provision watch`. */
  readonly provision?: ProvisionMetricsOptions
  /** Hears what the log hears, from the start on. */
  readonly alsoTold?: Listener
}

/** Log, metrics, health and status of everything that the hub tells. */
export function observe({ agent, output, provision, hub, clock, version, alsoTold }: ObserveOptions): void {
  const { targets = [], auth, vault } = agent ?? {}
  const components = targets.map(({ component }) => component)
  const present = createPresent(components, clock)
  const credentialExpiryMs = auth && (() => readTokenExpiryMs(auth))
  const metrics = createMetrics({ present, version, clock, credentialExpiryMs, ...(provision && { provision }) })
  const log = createLog(output.log, clock)
  hub.attach((event) => {
    present.listener(event)
    metrics.listener(event)
    log(event)
    alsoTold?.(event)
  })
  const { listen } = output
  if (listen === undefined) return
  const ofTargets = createHealth(targets, present, clock, vault?.timeoutMs ?? 0)
  const health = provision === undefined ? ofTargets : createProvisionHealth(ofTargets, present, clock)
  const status = agent && {
    status: async (path: StatusPath) => {
      const { answerStatus } = await import('./status/status-page.ts')
      return answerStatus(path, { config: agent, version, present, clock })
    },
  }
  startObserveServer({ listen, container: readContainer(), health, metrics, clock, emit: hub.emit, ...status })
}

/** With AGENT_ON_PUBLISH: tells whoever uses what is published, for as long as the agent runs. */
export function tellConsumers({
  config: { onPublish, targets },
  hub,
  clock,
  random,
}: Pick<BackgroundOptions, 'config' | 'hub' | 'clock' | 'random'>) {
  if (onPublish === undefined) return undefined
  const stop = new AbortController()
  const { emit } = hub
  const loaded = import('./on-publish/on-publish.ts').then(({ createOnPublish }) =>
    createOnPublish({ config: onPublish, targets, environment: process.env, clock, random, emit }),
  )
  void loaded.then(({ run }) => run(stop.signal))
  return {
    listener: (event: AgentEvent): void => void loaded.then(({ listener }) => listener(event)),
    stop: () => stop.abort(),
  }
}

/** The log alone, for commands that end by themselves. */
export function startLog({ config, hub, clock }: Pick<BackgroundOptions, 'config' | 'hub' | 'clock'>): void {
  hub.attach(createLog(config.log, clock))
}

/** Whatever is read again when it changes. */
export function watched(config: Config): { files: string[]; directories: string[] } {
  const { vault, etcdCaFile, source, targets } = config
  const files = [vault?.caFile, vault?.clientCertFile, vault?.clientKeyFile, etcdCaFile, ...credentialFiles(config)]
  const delivered = source.kind === 'file' ? Object.values(source.directories) : []
  return {
    // The directory itself may be a link that is swapped.
    files: [...files, ...delivered].filter((file) => file !== undefined && dirname(file) !== file) as string[],
    directories: [...targets.map(({ directory }) => directory), ...delivered],
  }
}

/**
 * Owns what stays in memory beside the rotation: log, metrics, health, the HTTP server and the file watcher. It is a bundle
 * of its own that is loaded after the first certificate, so that none of it stands in the way.
 */
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { hostCopyName } from '../config/target.ts'
import type { Clock } from '../core/clock.ts'
import type { Bundle } from '../pki/bundle.ts'
import { readTokenExpiryMs } from '../vault/credentials.ts'
import { createHostCopy } from './host-copy.ts'
import { credentialFiles } from './inputs.ts'
import { readContainer } from './observe/container.ts'
import type { AgentEvent, EventHub, Listener } from './observe/events.ts'
import { createHealth } from './observe/health.ts'
import { createLog } from './observe/log.ts'
import { createMetrics } from './observe/metrics.ts'
import { createPresent } from './observe/present.ts'
import { createProvisionHealth } from './observe/provision-health.ts'
import type { ProvisionMetricsOptions } from './observe/provision-metrics.ts'
import { type ObserveServer, type StatusPath, startObserveServer } from './observe/server.ts'
import { createTimeline } from './observe/timeline.ts'
import { openHostCniDir } from './store/host-cni-dir.ts'
import { watchFiles, watchPublished } from './store/watch.ts'

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

export interface Background {
  /** The port of health and metrics; undefined if AGENT_LISTEN=off. */
  readonly port: Promise<number> | undefined
  close(): void
}

export function startBackground(options: BackgroundOptions): Background {
  const { config, hub, clock, version, changed } = options
  const telling = tellConsumers(options)
  const alsoTold = telling && { alsoTold: telling.listener }
  const server = observe({ agent: config, output: config, hub, clock, version, ...alsoTold })
  const stopWatching = watchFiles(watched(config), {
    changed,
    failed: (detail) => hub.emit({ type: 'watch-failed', detail }),
  })
  const stopCopying = keepHostCopy(options)
  return {
    port: server?.port,
    close: () => {
      telling?.stop()
      stopCopying()
      stopWatching()
      server?.close()
    },
  }
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
export function observe({
  agent,
  output,
  provision,
  hub,
  clock,
  version,
  alsoTold,
}: ObserveOptions): ObserveServer | undefined {
  const { listen } = output
  const targets = agent?.targets ?? []
  const auth = agent?.auth
  const metrics = createMetrics({
    components: targets.map(({ component }) => component),
    version,
    clock,
    credentialExpiryMs: auth && (() => readTokenExpiryMs(auth)),
    ...(provision && { provision }),
  })
  const ofTargets = createHealth(targets, clock, agent?.vault?.timeoutMs ?? 0)
  const health = provision === undefined ? ofTargets : createProvisionHealth(ofTargets, clock)
  const log = createLog(output.log, clock)
  const present = createPresent(clock)
  const timeline = createTimeline(targets, clock)
  hub.attach((event) => {
    metrics.listener(event)
    health.listener(event)
    present.listener(event)
    timeline.listener(event)
    log(event)
    alsoTold?.(event)
  })
  const status =
    agent &&
    (async (path: StatusPath) => {
      const { answerStatus } = await import('./status/status-page.ts')
      return answerStatus(path, { config: agent, version, present, timeline, clock })
    })
  if (listen === undefined) return undefined
  const container = readContainer()
  return startObserveServer({ listen, container, health, metrics, clock, emit: hub.emit, ...(status && { status }) })
}

/** Keeps the CNI plugin's copy in step while the agent runs, if that is switched on. Returns how to stop. */
export function keepHostCopy({
  config,
  hub,
  clock,
  published,
  random,
}: Omit<BackgroundOptions, 'version' | 'changed'>) {
  const { hostCni } = config
  if (hostCni === undefined) return () => {}
  const { component } = hostCni
  const stop = new AbortController()
  const directory = openHostCniDir(hostCni.directory, hostCopyName)
  const copy = createHostCopy({
    component,
    directory,
    published: () => published(component),
    clock,
    random,
    emit: hub.emit,
  })
  hub.attach((event) => {
    if ((event.type === 'found' || event.type === 'published') && event.component === component) copy.recheck()
  })
  const stopWatching = watchPublished(directory.path, {
    changed: () => copy.recheck(),
    failed: (detail) => hub.emit({ type: 'watch-failed', detail }),
  })
  void copy.run(stop.signal)
  return () => {
    stop.abort()
    stopWatching()
  }
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
  const waiting: AgentEvent[] = []
  let hear: Listener = (event) => void waiting.push(event)
  const start = async (): Promise<void> => {
    const { createOnPublish } = await import('./on-publish/on-publish.ts')
    const { emit } = hub
    const telling = createOnPublish({ config: onPublish, targets, environment: process.env, clock, random, emit })
    hear = telling.listener
    for (const event of waiting) hear(event)
    await telling.run(stop.signal)
  }
  void start()
  return { listener: (event: AgentEvent) => hear(event), stop: () => stop.abort() }
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

/** Owns `provision watch`: its own certificate, the nodes, etcd, and what stays beside them, until a signal. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseWatchConfig, type WatchConfig } from '../config/watch.ts'
import { systemClock } from '../core/clock.ts'
import { AgentError, ConfigError } from '../core/errors.ts'
import { version } from '../core/version.ts'
import { openEtcd } from '../operator/etcd/client.ts'
import { desiredState } from '../operator/etcd/desired.ts'
import { createPace } from '../operator/etcd/pace.ts'
import type { Profile } from '../operator/etcd/profile-table.ts'
import { createKubeNodes } from '../operator/kubernetes/node-watch.ts'
import { createEtcdConnection } from '../operator/provision/connection.ts'
import { createNodeFile, createNodeInput } from '../operator/provision/node-file.ts'
import { createProvisioner, type NodeSource } from '../operator/provision/provisioner.ts'
import type * as Background from '../sidecar/background.ts'
import { createEventHub } from '../sidecar/observe/events.ts'
import { createAgent } from '../sidecar/sidecar.ts'
import { fingerprintFiles } from '../sidecar/store/fingerprint.ts'
import { fileNames } from '../sidecar/store/published-layout.ts'
import { exitCodes, stopBySignal } from './exit.ts'
import type { ProvisionOptions } from './provision-options.ts'

const clock = systemClock
const random = Math.random

export async function watch(options: ProvisionOptions, profiles: Readonly<Record<string, Profile>>): Promise<number> {
  const { components, nodesFile, graceMs, resyncMs, strict } = options
  const config = parseWatchConfig(process.env, hostname(), nodesFile === undefined)
  const hub = createEventHub()
  const { emit } = hub
  const perNode = components.filter((component) => profiles[component]?.scope === 'node')
  const background = await import('../sidecar/background.ts')
  const provision = { usersPerNode: perNode.length, otherUsers: components.length - perNode.length }
  background.observe({ agent: config.agent, output: config, provision, hub, clock, version })
  const stop = stopBySignal(emit)
  const connection = createEtcdConnection({
    read: () => readIdentity(config),
    open: openEtcd,
    emit,
  })
  const provisioner = createProvisioner({
    source: sourceOf(config, nodesFile, background),
    connection,
    desired: (nodes) =>
      desiredState({ profiles, components, naming: 'node', nodes, versions: config.versions, strict }),
    components: perNode,
    graceMs,
    resyncMs,
    pace: createPace({
      share: options.busyShare,
      now: () => clock.monotonic(),
      sleep: orStop(stop.signal),
      waits: (text) => emit({ type: 'provision-note', text }),
    }),
    clock,
    random,
    emit,
  })
  const agent = config.agent && createAgent({ config: config.agent, clock, random, emit })
  if (agent !== undefined) process.on('SIGHUP', () => agent.renewNow())
  const files =
    config.agent === undefined ? { files: config.etcdFiles, directories: [] } : background.watched(config.agent)
  const identityFiles = agentFiles(config.agent) ?? config.etcdFiles
  let identity = fingerprintFiles(identityFiles)
  const changed = (): void => {
    agent?.recheck()
    const before = identity
    identity = fingerprintFiles(identityFiles)
    if (identity !== before) provisioner.recheck()
  }
  background.watchFiles(files, { changed, failed: (detail) => emit({ type: 'watch-failed', detail }) })
  await Promise.all([agent?.run(stop.signal), provisioner.run(stop.signal)])
  connection.close()
  return exitCodes.ok
}

/** What the agent's own targets publish. */
function agentFiles(agent: WatchConfig['agent']): string[] | undefined {
  return agent?.targets.flatMap(({ directory }) => Object.values(fileNames).map((name) => join(directory, name)))
}

/** What is not done when the signal comes, the next start does. */
function orStop(stop: AbortSignal): (ms: number) => Promise<void> {
  return async (ms) => {
    await clock.sleep(ms, stop)
    stop.throwIfAborted()
  }
}

function sourceOf(
  { kubernetes }: WatchConfig,
  nodesFile: string | undefined,
  { watchFiles }: Pick<typeof Background, 'watchFiles'>,
): NodeSource {
  if (nodesFile === '-') return createNodeInput(process.stdin, clock)
  if (nodesFile !== undefined) return createNodeFile(nodesFile, clock, watchFiles)
  if (kubernetes === undefined) throw new Error('no source of nodes')
  return createKubeNodes({ address: kubernetes, clock, random })
}

/** Until the agent has published, and while a file is being replaced, that is a failure like any other. */
function readIdentity({ readEtcd }: WatchConfig): ReturnType<WatchConfig['readEtcd']> {
  try {
    return readEtcd()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new AgentError('file-invalid', error.problems.join('; '))
  }
}

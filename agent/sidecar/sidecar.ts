/** Owns the composition: wires the parts for a configuration, starts a loop for each target, and stops them. */
import { join } from 'node:path'
import type { Config, Target } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import { createLoop } from '../core/retry-loop.ts'
import type { Bundle } from '../pki/bundle.ts'
import { createSkewMeter } from '../vault/skew.ts'
import type { TlsMaterial } from '../vault/tls-files.ts'
import { createEtcdProbe } from './gate/etcd-probe.ts'
import { minLifetimeFor } from './gate/gate.ts'
import { createInputReader, readEtcdCa } from './inputs.ts'
import type { Listener } from './observe/events.ts'
import { createPlanner, slotOf } from './schedule.ts'
import { commonNameOf, openSource } from './source/open.ts'
import { openIssuanceRecord } from './store/records.ts'
import { openStateDir } from './store/state-dir.ts'
import { openStaticDir } from './store/static-dir.ts'
import { openTargetDir } from './store/target-dir.ts'
import { createTargetLoop, type TargetLoop } from './target-loop.ts'

export interface AgentOptions {
  readonly config: Config
  readonly clock: Clock
  /** From 0 to 1; only the retries after failures use it. */
  readonly random: () => number
  readonly emit: Listener
  readonly beforeConnect?: (material: TlsMaterial) => void
}

export interface Agent {
  /** Keeps every target valid until `stop`. Rejects only for bugs. */
  run(stop: AbortSignal): Promise<void>
  /**
   * Makes sure that every target has a good certificate.
   * @returns the failures of the targets that have none when `stop` comes
   */
  runOnce(stop: AbortSignal): Promise<AgentError[]>
  /** Renews every target at once. */
  renewNow(): void
  /** What stands in the component's directory and has passed the gate. */
  published(component: string): Bundle | undefined
  /** A watched file has changed: looks at the node now. */
  recheck(): void
}

const sessionCheckMs = 30_000

export function createAgent({ config, clock, random, emit, beforeConnect }: AgentOptions): Agent {
  const skew = createSkewMeter(clock, emit)
  const { source, maintain, close } = openSource({ config, clock, skew, emit, beforeConnect })
  const stopping = new AbortController()
  const probe = config.etcdProbe && createEtcdProbe(config.etcdProbe, stopping.signal)
  const nodeSlot = slotOf({ cluster: config.cluster, node: config.node, component: '' })
  const loops = config.targets.map(createLoopOf)

  function createLoopOf(target: Target): TargetLoop {
    const { component } = target
    const commonName = createCommonName(config, target, emit)
    const { stateDirectory, bootstrapDirectory, key, issuanceBudget: budget, renewAt, pki } = config
    // The cache outlives most; without it, the target's directory outlives the container.
    const state = stateDirectory === undefined ? undefined : openStateDir(join(stateDirectory, component))
    const tell = ({ code: reason, message: detail }: AgentError): void =>
      emit({ type: 'store-flaw', component, reason, detail })
    const directory = openTargetDir(target.directory, config.files, tell, state, () => loop.renewNow(), clock)
    const loop = createTargetLoop({
      target,
      commonName,
      directory,
      source,
      fallback: {
        state,
        bootstrap: bootstrapDirectory === undefined ? undefined : openStaticDir(bootstrapDirectory),
      },
      record: state?.record ?? openIssuanceRecord(target.directory),
      etcdCa: () => readEtcdCa(config.etcdCaFile),
      probe,
      readInputs: createInputReader({
        config,
        directory: target.directory,
        source: source.fingerprintOf && (() => source.fingerprintOf?.(component) ?? ''),
      }),
      rules: {
        issues: source.issues,
        plan: createPlanner(config, component),
        pollEveryMs: (lifetimeMs) => source.pollEveryMs(lifetimeMs),
        pollSlot: nodeSlot,
      },
      issuance: { keyReuse: key.reuse, budget, renewAt, ttlSeconds: pki.ttlSeconds },
      minLifetimeMs: minLifetimeFor(source.issues ? pki.ttlSeconds : undefined),
      clock,
      now: skew.now,
      clocks: skew.clocks,
      random,
      emit,
    })
    return loop
  }

  /** A token that was handed to us must not die between two rotations. */
  async function keepSession(keepAlive: () => Promise<void>, stop: AbortSignal): Promise<void> {
    const step = async (): Promise<number> => {
      await keepAlive()
      return sessionCheckMs
    }
    await clock.sleep(sessionCheckMs, stop)
    // The next rotation tells of a failure, if it lasts.
    await createLoop(clock, step, () => sessionCheckMs).run(stop)
  }

  function endWith(stop: AbortSignal): void {
    const end = (): void => {
      stopping.abort()
      close()
    }
    stop.addEventListener('abort', end, { once: true })
  }

  return {
    async run(stop) {
      endWith(stop)
      const running = loops.map((loop) => loop.run(stop))
      if (maintain !== undefined) running.push(keepSession(maintain, stop))
      await Promise.all(running)
    },
    async runOnce(stop) {
      endWith(stop)
      await Promise.all(loops.map((loop) => loop.run(stop, true)))
      return loops
        .filter((loop) => loop.published() === undefined)
        .map((loop) => loop.failure() ?? new AgentError('never-published', `${loop.component} was not reached`))
    },
    published: (component) => loops.find((loop) => loop.component === component)?.published()?.bundle,
    renewNow: () => {
      for (const loop of loops) loop.renewNow()
    },
    recheck: () => {
      for (const loop of loops) loop.recheck()
    },
  }
}

/** ub-common-name of X.520 (RFC 5280, appendix A): Vault, OpenSSL and etcd take longer ones, others may not. */
const longestCommonName = 64

/** The common name, complete once the service-account token has told the node's uid; warns once if it is long. */
function createCommonName(config: Config, target: Target, emit: Listener): () => string {
  let known: string | undefined
  return () => {
    if (known !== undefined) return known
    const commonName = commonNameOf(config, target)
    const { length } = Buffer.from(commonName)
    const { component } = target
    if (length > longestCommonName) emit({ type: 'long-name', component, node: config.node, commonName, length })
    known = commonName
    return commonName
  }
}

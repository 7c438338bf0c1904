/** Owns the composition: wires the parts for a configuration, starts a rotator for each target, and stops them. */
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import type { Config, Target } from './config/config.ts'
import { AgentError } from './errors.ts'
import { createAdmission } from './gate/admission.ts'
import { createEtcdProbe } from './gate/etcd-probe.ts'
import type { Listener } from './observe/events.ts'
import type { Bundle } from './pki/bundle.ts'
import { createIssuance } from './rotation/issuance.ts'
import { createPlanner } from './rotation/planner.ts'
import { createPublisher, type Publisher } from './rotation/publisher.ts'
import { createRotator, type Rotator } from './rotation/rotator.ts'
import { slotOf } from './rotation/schedule.ts'
import { commonNameOf } from './source/common-name.ts'
import { readEtcdCa } from './source/etcd-ca.ts'
import { openSource } from './source/open.ts'
import { openIssuanceRecord } from './store/issuance-record.ts'
import { openStateDir } from './store/state-dir.ts'
import { openStaticDir } from './store/static-dir.ts'
import { openTargetDir } from './store/target-dir.ts'
import { createSkewMeter } from './vault/skew.ts'
import type { TlsMaterial } from './vault/tls-files.ts'

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
  /** A watched file has changed: looks at everything again. */
  lookAgain(): void
}

const sessionCheckMs = 30_000

export function createAgent({ config, clock, random, emit, beforeConnect }: AgentOptions): Agent {
  const skew = createSkewMeter(clock, emit)
  const { source, maintain, close } = openSource({ config, clock, skew, emit, beforeConnect })
  const stopping = new AbortController()
  const probe = config.etcdProbe && createEtcdProbe(config.etcdProbe, stopping.signal)
  const nodeSlot = slotOf({ cluster: config.cluster, node: config.node, component: '' })
  const rotators = config.targets.map(createTarget)

  function createTarget(target: Target): { rotator: Rotator; publisher: Publisher } {
    const { component } = target
    const commonName = createCommonName(config, target, emit)
    // The cache outlives most; without it, the target's directory outlives the container.
    const state = config.stateDirectory === undefined ? undefined : openStateDir(join(config.stateDirectory, component))
    const tell = ({ code: reason, message: detail }: AgentError): void =>
      emit({ type: 'store-flaw', component, reason, detail })
    const directory = openTargetDir(target.directory, config.files, tell, state)
    const publisher = createPublisher({
      component,
      commonName,
      directory,
      state,
      bootstrap: config.bootstrapDirectory === undefined ? undefined : openStaticDir(config.bootstrapDirectory),
      plan: createPlanner(config, component),
      ttlSeconds: source.makes ? config.pki.ttlSeconds : undefined,
      clock,
      now: skew.now,
      clocks: skew.clocks,
      etcdCa: () => readEtcdCa(config.etcdCaFile),
      admit: probe && createAdmission({ component, probe, clock, now: skew.now, emit }),
      emit,
    })
    const issuance = createIssuance({
      target,
      commonName,
      source,
      keyReuse: config.key.reuse,
      budget: config.issuanceBudget,
      renewAt: config.renewAt,
      ttlSeconds: config.pki.ttlSeconds,
      record: state?.record ?? openIssuanceRecord(target.directory),
      now: skew.now,
      emit,
    })
    const rotator = createRotator({
      component,
      directory,
      publisher,
      issuance,
      source,
      pollSlot: nodeSlot,
      clock,
      now: skew.now,
      clocks: skew.clocks,
      random,
      emit,
    })
    return { rotator, publisher }
  }

  /** A token that was handed to us must not die between two rotations. */
  async function keepSession(keepAlive: () => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await clock.sleep(sessionCheckMs, stop)
      try {
        if (!stop.aborted) await keepAlive()
      } catch (error) {
        // The next rotation tells of it, if it lasts.
        if (!(error instanceof AgentError)) throw error
      }
    }
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
      const loops = rotators.map(({ rotator }) => rotator.run(stop))
      if (maintain !== undefined) loops.push(keepSession(maintain, stop))
      await Promise.all(loops)
    },
    async runOnce(stop) {
      endWith(stop)
      await Promise.all(rotators.map(({ rotator }) => rotator.run(stop, true)))
      return rotators
        .filter(({ publisher }) => publisher.published() === undefined)
        .map(
          ({ rotator }) =>
            rotator.failure() ?? new AgentError('never-published', `${rotator.component} was not reached`),
        )
    },
    published: (component) =>
      rotators.find(({ rotator }) => rotator.component === component)?.publisher.published()?.bundle,
    renewNow: () => {
      for (const { rotator } of rotators) rotator.renewNow()
    },
    lookAgain: () => {
      for (const { rotator } of rotators) rotator.lookAgain()
    },
  }
}

/** ub-common-name of X.520 (RFC 5280, appendix A): Vault, OpenSSL and etcd take longer ones, others may not. */
const longestCommonName = 64

/** The common name, complete once the service-account token has told the node's uid; warns once where it is long. */
function createCommonName(config: Config, target: Target, emit: Listener): () => string {
  let resolved: string | undefined
  return () => {
    if (resolved === undefined) {
      resolved = commonNameOf(config, target)
      const { length } = Buffer.from(resolved)
      const { component } = target
      if (length > longestCommonName)
        emit({ type: 'long-name', component, node: config.node, commonName: resolved, length })
    }
    return resolved
  }
}

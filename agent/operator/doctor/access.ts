/**
 * Owns what the checks reach the outside with: the agent's own parts, wired as the agent wires them. What several checks look
 * at is fetched once; a failure is the same failure to each of them.
 */
import type { CalicoVersion } from '../../config/calico-version.ts'
import type { Config, Target } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import { type Bundle, createBundle } from '../../pki/bundle.ts'
import { planCaSet } from '../../pki/ca-set.ts'
import { commonName } from '../../pki/certificate.ts'
import { type GateContext, judge, minLifetimeFor } from '../../sidecar/gate/gate.ts'
import type { Finding as EtcdFinding } from '../../sidecar/gate/probe/outcome.ts'
import { readEtcdCa } from '../../sidecar/inputs.ts'
import type { AgentEvent } from '../../sidecar/observe/events.ts'
import { commonNameOf, openSource } from '../../sidecar/source/open.ts'
import { openSecretDir } from '../../sidecar/store/secret-dir.ts'
import { createVaultCalls } from '../../vault/client.ts'
import { createSkewMeter } from '../../vault/skew.ts'

export interface AccessOptions {
  readonly config: Config
  readonly clock: Clock
  /** Of etcd's members; empty if the environment names none. */
  readonly endpoints: readonly string[]
  /** Of Calico; empty if nobody says. */
  readonly versions: readonly CalicoVersion[]
  /** Whether a throw-away certificate may be signed. */
  readonly signs: boolean
  /** Of whoever runs the doctor, if there is one: it only explains what Vault refuses. The agent's login is never helped by it. */
  readonly operatorToken?: Secret | undefined
}

export type Access = ReturnType<typeof openAccess>

/** Of all questions to one member of etcd. */
const etcdTimeoutMs = 4000

/** Whoever opens it closes it. */
export function openAccess(options: AccessOptions) {
  const { config, clock, endpoints, signs } = options
  const events: AgentEvent[] = []
  const emit = (event: AgentEvent): void => void events.push(event)
  const skew = createSkewMeter(clock, emit)
  const { source, vault, close } = openSource({ config, clock, skew, emit })
  const stop = new AbortController()
  // One connection for the whole examination.
  const release = vault?.transport.hold()

  const etcdCa = memoize(() => readEtcdCa(config.etcdCaFile))
  const published = (target: Target): Bundle | undefined => openSecretDir(target.directory, config.files).current()
  const wanted = (target: Target) => ({ target, commonName: commonNameOf(config, target), published: undefined })
  const obtain = memoizeFor(async (target: Target) => {
    const candidate = await source.obtain(wanted(target), undefined)
    if (candidate === undefined) throw new AgentError('source-empty', `${config.source.kind}: there is no certificate`)
    const { issuers, ...parts } = candidate
    return createBundle({ ...parts, ca: planCaSet(issuers, etcdCa(), [], skew.now()) })
  })
  const gateContext = (target: Target): GateContext => ({
    nowMs: skew.now(),
    clocks: skew.clocks(),
    commonName: commonNameOf(config, target),
    minLifetimeMs: minLifetimeFor(source.issues ? config.pki.ttlSeconds : undefined),
    live: [],
  })
  const presented = memoizeFor(async (target: Target) => {
    const isGood = (bundle: Bundle | undefined): boolean =>
      bundle !== undefined && judge(bundle, gateContext(target), ['lifetime-too-short']) === undefined
    // What somebody else has made costs nothing to read.
    const signed = signs || !source.issues ? await unlessFailed(() => obtain(target)) : undefined
    const stands = await unlessFailed(() => published(target))
    return [signed, stands].find(isGood)
  })

  return {
    ...options,
    /** For checks that are made only if there is a Vault. */
    vault: () => {
      const { vault: address, auth } = config
      if (vault === undefined || address === undefined || auth === undefined) throw new Error('there is no Vault here')
      return { ...vault, address, auth, calls: createVaultCalls(vault.transport, address.namespace) }
    },
    skew,
    /** The corrected time (vault/skew.ts). */
    now: skew.now,
    /** What the agent's parts have told so far. */
    events,
    /** What the gate judges a certificate for the target against. */
    gateContext,
    etcdCa,
    issuers: memoize(async () => (await source.poll(wanted(config.targets[0] as Target))).issuers ?? []),
    /** A certificate as the agent would get it for the target, signed for this look alone or read from the source; never kept. */
    obtain,
    /** What stands in the target's directory. */
    published,
    /** The certificate that etcd is asked about: the new one, or else the published one; undefined if neither is good. */
    presented,
    /** What each member says of the certificate that is presented. */
    askEtcd: memoizeFor(async (target: Target) => {
      const bundle = await presented(target)
      if (bundle === undefined) return []
      const { certificate, key, ca } = bundle.text
      const identity = { certificate, key: key.reveal(), ca }
      const user = commonName(bundle.leaf) ?? ''
      const { askEtcd } = await import('../../sidecar/gate/probe/probe.ts')
      // Each for itself: the agent is content with one that accepts, an operator wants to know of the others.
      const ask = (endpoint: string): Promise<EtcdFinding> =>
        askEtcd({ endpoints: [endpoint], identity, user, timeoutMs: etcdTimeoutMs, stop: stop.signal })
      return await Promise.all(endpoints.map(ask))
    }),
    close: () => {
      stop.abort()
      release?.()
      close()
    },
  }
}

/** Undefined for an expected failure: the check that it is about tells of it. */
export async function unlessFailed<Result>(effect: () => Result | Promise<Result>): Promise<Result | undefined> {
  try {
    return await effect()
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

/** An effect that happens once however often it is asked for, and fails alike each time. */
export function memoize<Result>(effect: () => Result): () => Result {
  const get = memoizeFor(effect)
  return () => get(undefined)
}

/** Once for each argument. What is thrown is kept like what is answered. */
export function memoizeFor<Argument, Result>(effect: (argument: Argument) => Result): (argument: Argument) => Result {
  const outcomes = new Map<Argument, () => Result>()
  const attempt = (argument: Argument): (() => Result) => {
    try {
      const result = effect(argument)
      return () => result
    } catch (error) {
      return () => {
        throw error
      }
    }
  }
  return (argument) => {
    const outcome = outcomes.get(argument) ?? attempt(argument)
    outcomes.set(argument, outcome)
    return outcome()
  }
}

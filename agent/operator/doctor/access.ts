/**
 * Owns what the checks reach the outside with: the agent's own parts, wired as the agent wires them. What several checks look
 * at is fetched once; a failure is the same failure to each of them.
 */
import type { X509Certificate } from 'node:crypto'
import type { Auth } from '../../config/auth.ts'
import type { CalicoVersion } from '../../config/calico-version.ts'
import type { Config, Target } from '../../config/config.ts'
import type { VaultAddress } from '../../config/vault.ts'
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
import type { Session } from '../../vault/session.ts'
import { createSkewMeter, type SkewMeter } from '../../vault/skew.ts'
import type { Transport } from '../../vault/transport.ts'
import { memoize, memoizeFor } from './memoize.ts'

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

export interface VaultAccess {
  readonly address: VaultAddress
  readonly auth: Auth
  readonly session: Session
  readonly transport: Transport
}

export interface Access extends AccessOptions {
  /** For checks that are made only if there is a Vault. */
  readonly vault: () => VaultAccess
  readonly skew: SkewMeter
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  /** What the agent's parts have told so far. */
  readonly events: readonly AgentEvent[]
  readonly commonName: (target: Target) => string
  readonly etcdCa: () => readonly X509Certificate[]
  readonly issuers: () => Promise<readonly X509Certificate[]>
  /** A certificate as the agent would get it for the target, signed for this look alone or read from the source; never kept. */
  readonly obtain: (target: Target) => Promise<Bundle>
  /** What stands in the target's directory. */
  readonly published: (target: Target) => Bundle | undefined
  /** What each member says of the certificate that is presented. */
  readonly askEtcd: (target: Target) => Promise<readonly EtcdFinding[]>
  /** What the gate judges a certificate for the target against. */
  readonly gateContext: (target: Target) => GateContext
  /** The certificate that etcd is asked about: the new one, or else the published one; undefined if neither is good. */
  readonly presented: (target: Target) => Promise<Bundle | undefined>
  close(): void
}

/** Of all questions to one member of etcd. */
const etcdTimeoutMs = 4000

export function openAccess(options: AccessOptions): Access {
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
    vault: () => {
      const { vault: address, auth } = config
      if (vault === undefined || address === undefined || auth === undefined) throw new Error('there is no Vault here')
      return { ...vault, address, auth }
    },
    skew,
    now: skew.now,
    events,
    commonName: (target) => commonNameOf(config, target),
    gateContext,
    etcdCa,
    issuers: memoize(async () => (await source.poll(wanted(config.targets[0] as Target))).issuers ?? []),
    obtain,
    published,
    presented,
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
async function unlessFailed<Result>(effect: () => Result | Promise<Result>): Promise<Result | undefined> {
  try {
    return await effect()
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

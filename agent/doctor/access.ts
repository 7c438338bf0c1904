/**
 * Owns what the checks reach the outside with: the agent's own parts, wired as the agent wires them. What several checks look
 * at is fetched once; a failure is the same failure to each of them.
 */
import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { CalicoVersion } from '../config/calico-version.ts'
import type { Config, Target } from '../config/config.ts'
import { AgentError } from '../errors.ts'
import type { GateContext } from '../gate/checks.ts'
import { judge } from '../gate/gate.ts'
import { askEtcd } from '../gate/probe/ask.ts'
import type { Finding as EtcdFinding } from '../gate/probe/outcome.ts'
import type { AgentEvent } from '../observe/events.ts'
import { type Bundle, createBundle } from '../pki/bundle.ts'
import { planCaSet } from '../pki/ca-set.ts'
import { commonName } from '../pki/certificate.ts'
import { commonNameOf } from '../source/common-name.ts'
import { readEtcdCa } from '../source/etcd-ca.ts'
import { createPkiSource } from '../source/pki.ts'
import { openSecretDir } from '../store/secret-dir.ts'
import { createVaultApi } from '../vault/client.ts'
import { createSession, type Session } from '../vault/session.ts'
import { createSkewMeter } from '../vault/skew.ts'
import { createTransport, type Transport } from '../vault/transport.ts'
import { once, onceFor } from './once.ts'

export interface AccessOptions {
  readonly config: Config
  readonly clock: Clock
  /** Of etcd's members; empty where the environment names none. */
  readonly endpoints: readonly string[]
  readonly version: CalicoVersion | undefined
  /** Whether a throw-away certificate may be signed. */
  readonly signs: boolean
}

export interface Access extends AccessOptions {
  readonly session: Session
  readonly transport: Transport
  /** Vault's clock minus ours, once it has answered. */
  readonly skewMs: () => number | undefined
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  /** What the agent's parts have told so far. */
  readonly events: readonly AgentEvent[]
  readonly commonName: (target: Target) => string
  readonly etcdCa: () => readonly X509Certificate[]
  readonly issuers: () => Promise<readonly X509Certificate[]>
  /** A certificate that is signed for the target as the agent would have it signed, with its key, in memory and never kept. */
  readonly sign: (target: Target) => Promise<Bundle>
  /** What stands in the target's directory. */
  readonly published: (target: Target) => Bundle | undefined
  /** What each member says of the certificate that is presented. */
  readonly askEtcd: (target: Target) => Promise<readonly EtcdFinding[]>
  /** What the gate judges a certificate for the target against. */
  readonly gateContext: (target: Target) => GateContext
  /** The certificate that etcd is asked about: the new one, or else the published one; undefined where neither is good. */
  readonly presented: (target: Target) => Promise<Bundle | undefined>
  close(): void
}

/** Of all questions to one member of etcd. */
const etcdTimeoutMs = 4000

export function openAccess(options: AccessOptions): Access {
  const { config, clock, endpoints, signs } = options
  const { origin, namespace } = config.vault
  const events: AgentEvent[] = []
  const emit = (event: AgentEvent): void => void events.push(event)
  const skew = createSkewMeter(clock)
  const transport = createTransport({ address: config.vault, clock, skew, emit })
  const api = createVaultApi(transport, origin, namespace)
  const { auth, node, inlineAuth: inline } = config
  const session = createSession({ auth, node, inline, api, clock, skew, emit })
  const source = createPkiSource({ config, api, session, transport })
  const stop = new AbortController()
  // One connection for the whole examination.
  const release = transport.hold()

  const etcdCa = once(() => readEtcdCa(config.etcdCaFile))
  const published = (target: Target): Bundle | undefined => openSecretDir(target.directory, config.files).current()
  const sign = onceFor(async (target: Target) => {
    const { issuers, ...parts } = await source.obtain(target, commonNameOf(config, target), undefined)
    return createBundle({ ...parts, ca: planCaSet(issuers, etcdCa(), [], skew.now()) })
  })
  const gateContext = (target: Target): GateContext => ({
    nowMs: skew.now(),
    commonName: commonNameOf(config, target),
    minLifetimeMs: Math.min(60_000, config.pki.ttlSeconds * 100),
    live: [],
  })
  const presented = onceFor(async (target: Target) => {
    const isGood = (bundle: Bundle | undefined): boolean =>
      bundle !== undefined && judge(bundle, gateContext(target), ['lifetime-too-short']) === undefined
    const signed = signs ? await unlessFailed(() => sign(target)) : undefined
    const stands = await unlessFailed(() => published(target))
    return [signed, stands].find(isGood)
  })

  return {
    ...options,
    session,
    transport,
    skewMs: skew.measured,
    now: skew.now,
    events,
    commonName: (target) => commonNameOf(config, target),
    gateContext,
    etcdCa,
    issuers: once(() => source.issuers()),
    sign,
    published,
    presented,
    askEtcd: onceFor(async (target: Target) => {
      const bundle = await presented(target)
      if (bundle === undefined) return []
      const { certificate, key, ca } = bundle.text
      const identity = { certificate, key: key.reveal(), ca }
      const user = commonName(bundle.leaf) ?? ''
      // Each for itself: the agent is content with one that accepts, an operator wants to know of the others.
      const ask = (endpoint: string): Promise<EtcdFinding> =>
        askEtcd({ endpoints: [endpoint], identity, user, timeoutMs: etcdTimeoutMs, stop: stop.signal })
      return await Promise.all(endpoints.map(ask))
    }),
    close: () => {
      stop.abort()
      release()
      transport.destroy()
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

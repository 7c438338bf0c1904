/**
 * Owns the set-up of the rotation's tests: one target with real directories, a source that signs with test authorities as the
 * test says, and a clock that only the test moves.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Bundle } from '../../../agent/pki/bundle.ts'
import type { TargetOptions } from '../../../agent/sidecar/context.ts'
import type { Finding } from '../../../agent/sidecar/gate/probe/outcome.ts'
import type { InputOptions } from '../../../agent/sidecar/inputs.ts'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import { planExpected, planRenewal } from '../../../agent/sidecar/schedule.ts'
import type { Candidate } from '../../../agent/sidecar/source/source.ts'
import { openIssuanceRecord } from '../../../agent/sidecar/store/records.ts'
import { openSecretDir, type SecretDir } from '../../../agent/sidecar/store/secret-dir.ts'
import { openTargetDir } from '../../../agent/sidecar/store/target-dir.ts'
import { createTargetLoop, type TargetLoop } from '../../../agent/sidecar/target-loop.ts'
import { createCa, type LeafOptions, type TestCa } from '../../support/certificates.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createTestInputs, createTestSource } from './rotation-source.ts'

export const hourMs = 3_600_000
export const name = 'calico-node:node1'

/** Renewals stand at fixed moments of the epoch. At this one, the slot of 0.5 in 0.65 of 24 h is just over: the next is 15.6 h away. */
export const startMs = Math.round(35_000.5 * 0.65 * 24 * hourMs)

/** Certificates of the past chain, too. */
const lifetime = { notBefore: new Date(startMs - 100 * hourMs), notAfter: new Date(startMs + 100_000 * hourMs) }
export const oldCa = await createCa({ commonName: 'Old CA', ...lifetime })
export const newCa = await createCa({ commonName: 'New CA', ...lifetime })

export const x509 = (ca: { certificatePem: string }): X509Certificate => new X509Certificate(ca.certificatePem)

export type EventOf<Type extends AgentEvent['type']> = Extract<AgentEvent, { type: Type }>

export interface RigOptions {
  /** The files whose change may end a wait. Default: none. */
  readonly inputs?: InputOptions['config']
  /** The state of etcd's CA is that of its file and not that of `etcd.ca`. */
  readonly etcdCaFromFile?: boolean
  readonly keyReuse?: number
  /** Default: none. */
  readonly budget?: number
  readonly withState?: boolean
  readonly withBootstrap?: boolean
  /** Certificates are made elsewhere: the source reads what the test puts `there`. */
  readonly isDelivered?: boolean
  /** Asks `etcd.answer` before a publication. */
  readonly probe?: 'warn' | 'require'
}

export interface Rig {
  readonly clock: FakeClock
  readonly events: AgentEvent[]
  /** Directory of the target; it exists. */
  readonly path: string
  readonly statePath: string
  readonly bootstrapPath: string
  /** What has been asked of the source. */
  readonly calls: ('obtain' | 'poll')[]
  /** How the source behaves; a test changes it. */
  readonly vault: {
    failure: Error | undefined
    signer: TestCa
    issuers: readonly TestCa[]
    leaf: LeafOptions
    /** Called before an answer. */
    before: () => Promise<void> | void
  }
  /** What a source holds whose certificates are made elsewhere; undefined: nothing. */
  readonly there: { candidate: Candidate | undefined }
  readonly etcd: {
    ca: () => readonly X509Certificate[]
    answer: (bundle: Bundle) => Finding['code']
    /** The certificates that it was asked about. */
    readonly asked: string[]
  }
  /** What a source on this node holds. */
  sourceState: string
  readonly wanted: { commonName: () => string }
  /** What the loop is made of; for tests of its steps. */
  options: TargetOptions
  loop: TargetLoop
  /** How far Vault's clock is ahead of ours, as far as it is known. */
  readonly vaultAhead: { ms: number }
  /** Runs the loop and waits until it sleeps. */
  start(): Promise<void>
  /** Runs it as `init` does, to its end. */
  once(): Promise<void>
  /** The end of the run; rejects with its bug. */
  ended(): Promise<void>
  /** Ends the run and waits for its end. */
  stop(): Promise<void>
  /** Another process on the same directories; its events replace those of before. */
  restart(): Promise<void>
  told<Type extends AgentEvent['type']>(type: Type): EventOf<Type>[]
  /** A certificate that the source would give. */
  candidate(signer?: TestCa, leaf?: LeafOptions, key?: KeyObject): Promise<Candidate>
}

export async function rotationRig(options: RigOptions = {}): Promise<Rig> {
  const clock = createFakeClock(startMs)
  const root = tempDir()
  const [path, statePath, bootstrapPath] = ['target', 'state', 'bootstrap'].map((each) => join(root, each)) as [
    string,
    string,
    string,
  ]
  for (const each of [path, statePath, bootstrapPath]) mkdirSync(each)
  const calls: Rig['calls'] = []
  const events: AgentEvent[] = []
  const vault: Rig['vault'] = { failure: undefined, signer: oldCa, issuers: [oldCa], leaf: {}, before: () => {} }
  const there: Rig['there'] = { candidate: undefined }
  const wanted: Rig['wanted'] = { commonName: () => name }
  const etcd: Rig['etcd'] = { ca: () => [], answer: () => 'accepted', asked: [] }

  const candidate: Rig['candidate'] = async (signer = vault.signer, leaf = vault.leaf, key?: KeyObject) => {
    const publicKeyPem = key && createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
    const issued = await signer.issue({
      commonName: wanted.commonName(),
      notBefore: new Date(clock.now() - 30_000),
      notAfter: new Date(clock.now() + 24 * hourMs),
      ...(publicKeyPem === undefined ? {} : { publicKeyPem }),
      ...leaf,
    })
    return {
      leaf: x509(issued),
      intermediates: [],
      key: key ?? createPrivateKey(issued.privateKeyPem),
      issuers: vault.issuers.map(x509),
    }
  }

  const source = createTestSource({ isDelivered: options.isDelivered === true, calls, vault, there, candidate })

  const open = (each: string): SecretDir => openSecretDir(each, { mode: 0o400, uid: undefined, gid: undefined })
  const commonName = (): string => wanted.commonName()
  const vaultAhead = { ms: 0 }
  const shared = {
    clock,
    now: () => clock.now() + vaultAhead.ms,
    clocks: () => {
      const both = [clock.now(), clock.now() + vaultAhead.ms]
      return { earliestMs: Math.min(...both), latestMs: Math.max(...both) }
    },
    emit: (event: AgentEvent) => void events.push(event),
  }

  const probe = options.probe && {
    mode: options.probe,
    stop: new AbortController().signal,
    ask: (bundle: Bundle) => {
      etcd.asked.push(bundle.leaf.serialNumber)
      const code = etcd.answer(bundle)
      return Promise.resolve({ code, detail: `https://etcd:2379: ${code}` })
    },
  }

  const readInputs = createTestInputs(options, path, etcd, () => rig.sourceState)

  function compose(): Pick<Rig, 'loop' | 'options'> {
    const target = { component: 'calico-node', directory: path, pkiRole: 'calico-node', commonName: name }
    const { component } = target
    const targetOptions: TargetOptions = {
      ...shared,
      target,
      commonName,
      directory: openTargetDir(path, { mode: 0o400, uid: undefined, gid: undefined }, (flaw) =>
        events.push({ type: 'store-flaw', component, reason: flaw.code, detail: flaw.message }),
      ),
      source,
      fallback: {
        state: options.withState === true ? open(statePath) : undefined,
        bootstrap: options.withBootstrap === true ? open(bootstrapPath) : undefined,
      },
      record: openIssuanceRecord(path),
      etcdCa: () => etcd.ca(),
      probe,
      readInputs,
      rules: {
        issues: source.issues,
        plan: (validity, issuedAtMs) =>
          source.issues ? planRenewal(validity, issuedAtMs, 0.5, 0.65) : planExpected(validity),
        pollEveryMs: (lifetimeMs) => source.pollEveryMs(lifetimeMs),
        pollSlot: 0,
      },
      issuance: {
        keyReuse: options.keyReuse ?? 0,
        budget: options.budget ?? Number.POSITIVE_INFINITY,
        renewAt: 0.65,
        ttlSeconds: 86_400,
      },
      minLifetimeMs: 60_000,
      random: () => 0.5,
    }
    return { options: targetOptions, loop: createTargetLoop(targetOptions) }
  }

  let stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  onTestFinished(() => stopping.abort())

  const rig: Rig = {
    clock,
    events,
    path,
    statePath,
    bootstrapPath,
    calls,
    vault,
    there,
    etcd,
    wanted,
    sourceState: '',
    vaultAhead,
    ...compose(),
    candidate,
    start: async () => {
      stopping = new AbortController()
      running = rig.loop.run(stopping.signal)
      await Promise.race([clock.nextSleep(), running])
    },
    once: () => rig.loop.run(stopping.signal, true),
    ended: () => running,
    stop: () => {
      stopping.abort()
      return running
    },
    restart: async () => {
      await rig.stop()
      events.length = 0
      calls.length = 0
      Object.assign(rig, compose())
      await rig.start()
    },
    told: <Type extends AgentEvent['type']>(type: Type) =>
      events.filter((event): event is EventOf<Type> => event.type === type),
  }
  return rig
}

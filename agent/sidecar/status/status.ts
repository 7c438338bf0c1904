/**
 * Owns the status of an agent as one value: what stands in each directory, read from disk, and what the running agent tells of
 * it. `status`, `/status` and the page are views of it. It holds no key and no token.
 */
import type { X509Certificate } from 'node:crypto'
import type { Config, Target } from '../../config/config.ts'
import { AgentError, systemCode } from '../../core/errors.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { workingTime } from '../../pki/ca-set.ts'
import { commonName, describeName, findChain, validityOf } from '../../pki/certificate.ts'
import { readEtcdCa } from '../inputs.ts'
import type { PublishedCertificate, TargetFailure } from '../observe/events.ts'
import type { TargetPresent, VaultSight } from '../observe/present.ts'
import type { Happening } from '../observe/timeline.ts'
import { createPlanner } from '../schedule.ts'
import { openSecretDir } from '../store/secret-dir.ts'

/** What the running agent tells of itself. */
export interface Told {
  /** Undefined if no agent answers. */
  readonly version: string | undefined
  /** Where Vault answered last, if it has several addresses and the agent has asked one. */
  readonly vaultAddress: string | undefined
  /** What the running agent has seen of Vault; undefined without one, and if certificates come from elsewhere. */
  readonly vault: VaultSight | undefined
  target(component: string): TargetTold
}

/** What the running agent tells of one target: its state now, and what has happened to it. */
export interface TargetTold {
  /** What it has published last. */
  readonly certificate: Pick<PublishedCertificate, 'serialNumber' | 'renewAtMs'> | undefined
  readonly failure: TargetFailure | undefined
  /** Why etcd has not accepted what is published. */
  readonly unproven: Pick<TargetFailure, 'reason' | 'detail'> | undefined
  /** How many certificates an hour may see, and how many the last one has seen. */
  readonly budget: { readonly limit: number; readonly spent: number } | undefined
  /** Why its consumers could not be told of what is published (AGENT_ON_PUBLISH). */
  readonly notTold: TargetPresent['notTold']
  /** Newest first. */
  readonly happenings: readonly Happening[]
}

/** No agent answers. */
export const nothingTold: Told = {
  version: undefined,
  vaultAddress: undefined,
  vault: undefined,
  target: () => ({
    certificate: undefined,
    failure: undefined,
    unproven: undefined,
    budget: undefined,
    notTold: undefined,
    happenings: [],
  }),
}

export interface Status extends Omit<Told, 'target'> {
  readonly node: string
  readonly atMs: number
  readonly targets: readonly TargetStatus[]
}

export interface TargetStatus extends Omit<TargetTold, 'certificate'> {
  readonly component: string
  readonly directory: string
  /**
   * `late`: the moment of renewal has passed and an attempt has failed. `unreadable`: whoever looks may not read it, or it is damaged;
   * `missing`: nothing is there.
   */
  readonly state: 'good' | 'late' | 'expired' | 'unreadable' | 'missing'
  /** Why nothing can be shown. */
  readonly problem: string | undefined
  /** Whether an agent has the directory; undefined: the agent itself tells. */
  readonly hasAgent?: boolean
  readonly certificate: CertificateStatus | undefined
  readonly ca: readonly CaStatus[]
}

export interface CertificateStatus {
  readonly commonName: string
  readonly serialNumber: string
  readonly issuer: string
  readonly notBeforeMs: number
  /** When it stops working: its own end, or that of a CA that it chains to. */
  readonly notAfterMs: number
  readonly renewAtMs: number
  /** From the issuer up to the CA that ends the chain. */
  readonly chain: readonly string[]
}

export interface CaStatus {
  readonly name: string
  readonly serialNumber: string
  readonly notAfterMs: number
  /** Whether the certificate chains to it. */
  readonly isInUse: boolean
  /** Whether it is there to verify etcd's servers (AGENT_ETCD_CA_FILE). */
  readonly verifiesEtcd: boolean
}

export type StatusConfig = Pick<Config, 'node' | 'cluster' | 'targets' | 'files' | 'renewAt' | 'source' | 'etcdCaFile'>

export function readStatus(config: StatusConfig, told: Told, nowMs: number): Status {
  const { version, vaultAddress, vault } = told
  const targets = config.targets.map((target) => readTarget(config, target, told, nowMs))
  return { node: config.node, atMs: nowMs, version, vaultAddress, vault, targets }
}

function readTarget(config: StatusConfig, { component, directory }: Target, told: Told, nowMs: number): TargetStatus {
  const { certificate: known, ...rest } = told.target(component)
  const target = { ...rest, component, directory }
  const nothing = { ...target, certificate: undefined, ca: [] }
  try {
    const bundle = openSecretDir(directory, config.files).current()
    if (bundle === undefined) return { ...nothing, state: 'missing', problem: 'no certificate has been published yet' }
    const validity = workingTime(bundle, nowMs)
    // The agent knows when it obtained the certificate; without it, its beginning stands for that, as after a restart.
    const isKnown = known?.serialNumber === bundle.leaf.serialNumber
    const { renewAtMs } = isKnown ? known : createPlanner(config, component)(validity, validity.notBeforeMs)
    const isLate = rest.failure !== undefined && renewAtMs <= nowMs
    const state = validity.notAfterMs <= nowMs ? 'expired' : isLate ? 'late' : 'good'
    const chain = chainOf(bundle, nowMs)
    const certificate = { ...describeLeaf(bundle.leaf, chain), ...validity, renewAtMs }
    const ca = describeCa(bundle.ca, chain, fingerprintsOfEtcd(config.etcdCaFile))
    return { ...target, state, problem: undefined, certificate, ca }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    const state = error.code === 'directory-missing' ? 'missing' : 'unreadable'
    return { ...nothing, state, problem: `${error.message}. ${adviceOf(error)}` }
  }
}

/** Who looks is often not the agent's user: that is no fault of the files. */
function adviceOf(error: AgentError): string {
  const isDenied = ['EACCES', 'EPERM'].includes(systemCode(error.cause))
  return isDenied ? 'Look as the user of the agent, or as root.' : error.advice
}

/** The file itself is no business of whoever looks: the doctor and the agent tell of it. */
function fingerprintsOfEtcd(file: string | undefined): ReadonlySet<string> {
  try {
    return new Set(readEtcdCa(file).map((each) => each.fingerprint256))
  } catch (error) {
    if (error instanceof AgentError) return new Set()
    throw error
  }
}

function describeLeaf(leaf: X509Certificate, chain: readonly X509Certificate[]) {
  return {
    commonName: commonName(leaf) ?? '',
    serialNumber: leaf.serialNumber,
    issuer: describeName(leaf.issuer),
    chain: chain.map((each) => describeName(each.subject)),
  }
}

function describeCa(
  ca: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  ofEtcd: ReadonlySet<string>,
): CaStatus[] {
  const used = new Set(chain.map((each) => each.fingerprint256))
  return ca.map((each) => ({
    name: describeName(each.subject),
    serialNumber: each.serialNumber,
    notAfterMs: validityOf(each).notAfterMs,
    isInUse: used.has(each.fingerprint256),
    verifiesEtcd: ofEtcd.has(each.fingerprint256),
  }))
}

/** At a moment at which the leaf is valid: what has expired is shown all the same. */
function chainOf({ leaf, intermediates, ca }: Bundle, nowMs: number): X509Certificate[] {
  const { notBeforeMs, notAfterMs } = validityOf(leaf)
  return findChain(leaf, intermediates, ca, Math.min(Math.max(nowMs, notBeforeMs), notAfterMs - 1)) ?? []
}

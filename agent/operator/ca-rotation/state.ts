/** Owns what a CA rotation is planned from: what Vault holds, what the agents say, and what the operator wants. No state but this. */

import type { CaUse } from '../../pki/ca-set.ts'
import type { KeyType } from '../../pki/key.ts'
import type { Plan } from '../engine/bring-in-step.ts'

/** An issuer of the PKI mount. */
export interface Issuer {
  readonly id: string
  /** Empty if it has none. */
  readonly name: string
  /** As the agents' metrics name it. */
  readonly fingerprint: string
  readonly subject: string
  readonly notAfterMs: number
  /** Vault has its key, and it may sign certificates. */
  readonly canSign: boolean
  /** Those of the mount that have signed it, and theirs: an intermediate and its root are one line. */
  readonly above: readonly string[]
}

export interface VaultState {
  readonly mount: string
  readonly issuers: readonly Issuer[]
  /** Undefined if there is none. */
  readonly defaultId: string | undefined
  /** Whether Vault makes a new issuer the default by itself. */
  readonly followsLatest: boolean
  /** The longest lifetime that the mount gives to a CA. */
  readonly maxTtlSeconds: number
  /** Roles that name their issuer instead of `default`, with the id of the issuer. */
  readonly pinnedRoles: readonly { readonly role: string; readonly issuerId: string }[]
}

/** One component of an agent. */
export interface ComponentView {
  readonly component: string
  /** The CAs in etcd-ca, and until when each is needed. */
  readonly ca: readonly CaUse[]
  /** How many there are: the metric shows no more than 20 of them. 0: nothing is published yet. */
  readonly caCount: number
  /** When the set last got a new CA. */
  readonly addedAtMs: number
  /** Whether the set has changed since the agent started. */
  readonly changedSinceStart: boolean
  /** Whether the CNI plugin's copy holds what is published; undefined if there is none. */
  readonly isCopyInStep: boolean | undefined
  /** Whether etcd has refused the certificate that was to be published last. */
  readonly isRefusedByEtcd: boolean
  /** When the program that reads the files started, if somebody knows. */
  readonly consumerStartedAtMs: number | undefined
}

export interface AgentView {
  /** Its address, or `instance` of Prometheus. */
  readonly where: string
  /** Undefined: it does not say so. */
  readonly node: string | undefined
  /** When it was at work last, by its own clock, if it says so. */
  readonly heardAtMs?: number | undefined
  readonly targets: readonly ComponentView[]
}

/** Who is expected and says nothing. */
export interface Silent {
  /** A node or an address. */
  readonly name: string
  readonly why: string
}

export interface AgentsState {
  readonly agents: readonly AgentView[]
  readonly silent: readonly Silent[]
  /** Silent ones that the operator goes on without. */
  readonly without: readonly Silent[]
}

export interface NewRoot {
  readonly commonName: string
  readonly ttlSeconds: number
  readonly keyType: KeyType
}

export interface Intent {
  /** The issuer that is to sign, by name or id. */
  readonly issuer: string
  /** How it is made if it is not there. */
  readonly make: NewRoot | undefined
  /** The issuers to delete at the end, by name or id. */
  readonly retire: readonly string[]
  /** Whether the operator says that etcd trusts the new CA. */
  readonly etcdTrustsNew: boolean
}

export type Change =
  | { readonly do: 'make'; readonly mount: string; readonly name: string; readonly root: NewRoot }
  | { readonly do: 'switch'; readonly mount: string; readonly from: Issuer | undefined; readonly to: Issuer }
  | { readonly do: 'retire'; readonly mount: string; readonly issuer: Issuer }

/** Where a rotation is. */
export const steps = {
  make: 'make the new issuer, which signs nothing yet',
  spread: 'every agent publishes the new CA beside the old one',
  switch: 'etcd trusts both, and the new issuer becomes the default',
  renew: 'every certificate of the old CA is replaced or has ended',
  retire: 'the old issuer is deleted',
  done: 'one CA signs, and no agent needs another',
} as const

export type Step = keyof typeof steps

export interface Rotation {
  readonly step: Step
  readonly plan: Plan<Change>
  /** Whether nothing but silence stands in the way: that may pass by itself. */
  readonly isSilenceAll: boolean
}

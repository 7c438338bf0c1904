/**
 * Owns what the agent tells about itself: one closed set of events. Log, metrics and health are their listeners; nothing
 * ever asks back. Times are milliseconds since the epoch.
 */

import type { Finding } from '../gate/probe/outcome.ts'
import type { Verdict } from '../gate/probe/verdict.ts'
import type { CaUse } from '../pki/ca-set.ts'
import type { ReasonCode } from '../reasons.ts'
import type { ProvisionEvent } from './provision-events.ts'

/** What a request to Vault is for: the label of the request metrics. */
export const operations = ['login', 'sign', 'issuers', 'issuer', 'secret', 'token', 'health', 'setup'] as const
export type Operation = (typeof operations)[number]

export interface TargetName {
  readonly component: string
  readonly directory: string
  readonly commonName: string
}

/** The certificate that stands in a target's directory. */
export interface PublishedCertificate {
  readonly serialNumber: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly renewAtMs: number
  readonly ca: {
    readonly count: number
    readonly earliestExpiryMs: number
    readonly changedSinceStart: boolean
    /** When the files with the CA certificate that was added last were written, as far as this process knows: whoever started later has all. */
    readonly addedAtMs: number
    readonly certificates: readonly CaUse[]
  }
}

export type AgentEvent =
  | ProvisionEvent
  | { type: 'started'; version: string; node: string; authMethod: string; targets: readonly TargetName[] }
  | { type: 'listening'; address: string }
  | { type: 'listen-failed'; detail: string }
  | { type: 'long-name'; component: string; node: string; commonName: string; length: number }
  | { type: 'vault-request'; operation: Operation; outcome: string; durationMs: number }
  /** Of several addresses, another one answers than before, or the first one; `instead`: what was wrong with those that were tried before it. */
  | { type: 'vault-address'; address: string; instead: readonly { reason: ReasonCode; detail: string }[] }
  | { type: 'clock-skew'; skewMs: number }
  | { type: 'credential'; expiresAtMs: number | undefined }
  | { type: 'login'; method: string; mount: string; expiresAtMs: number | undefined }
  /** A token that was handed to us: how long it lives was looked up, or made longer. */
  | { type: 'token'; expiresAtMs: number | undefined }
  | { type: 'issued'; component: string; serialNumber: string; keyReused: boolean; reason: ReasonCode }
  /** How many certificates an hour may see, and when each of those that were made stops counting. */
  | { type: 'issuance-budget'; component: string; limit: number; spentUntilMs: readonly number[] }
  | { type: 'found'; component: string; certificate: PublishedCertificate }
  | { type: 'published'; component: string; reason: ReasonCode; durationMs: number; certificate: PublishedCertificate }
  | {
      /** An attempt failed: what is published stays. */
      type: 'kept'
      component: string
      reason: ReasonCode
      detail: string
      retryAtMs: number
      /** End of the published certificate; undefined where there is none. */
      notAfterMs: number | undefined
      /** How long the published certificate works in all. */
      lifetimeMs: number | undefined
    }
  | {
      /** etcd was asked about a bundle; what is refused is told again as `kept`, `state-failed` or `ca-refresh-failed`. */
      type: 'probed'
      component: string
      outcome: Finding['code']
      detail: string
      verdict: Verdict
      durationMs: number
    }
  | { type: 'recovered'; component: string }
  | { type: 'ca-refresh-failed'; component: string; reason: ReasonCode; detail: string }
  | { type: 'state-failed'; component: string; reason: ReasonCode; detail: string }
  | {
      /** The CNI plugin's copy was looked at and is in step now. */
      type: 'host-copied'
      component: string
      path: string
      /** Whether anything had to be written. */
      written: boolean
      serialNumber: string
      notAfterMs: number
    }
  | {
      type: 'host-copy-failed'
      component: string
      path: string
      reason: ReasonCode
      detail: string
      retryAtMs: number
      /** Whether it failed for the same reason the time before. */
      repeated: boolean
    }
  /** Something about the directory that endangers nothing now; told once. */
  | { type: 'store-flaw'; component: string; reason: ReasonCode; detail: string }
  | { type: 'watch-failed'; detail: string }
  | { type: 'heartbeat'; component: string; nextStepAtMs: number }
  | { type: 'stopped'; signal: string }

export type Listener = (event: AgentEvent) => void

/** Hands every event to its listeners; keeps those that come before the first listener, as the log is loaded late. */
export interface EventHub {
  emit: Listener
  attach(listener: Listener): void
}

/** With nobody listening, the oldest events of a long start are the ones that explain least. */
const maxKept = 1000

export function createEventHub(): EventHub {
  const listeners: Listener[] = []
  let kept: AgentEvent[] | undefined = []
  return {
    emit: (event) => {
      for (const listener of listeners) listener(event)
      kept?.push(event)
      if (kept !== undefined && kept.length > maxKept) kept.shift()
    },
    attach: (listener) => {
      for (const event of kept ?? []) listener(event)
      kept = undefined
      listeners.push(listener)
    },
  }
}

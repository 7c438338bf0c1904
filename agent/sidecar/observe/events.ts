/**
 * Owns what the agent tells about itself: one closed set of events. Nothing that listens ever asks back. What is true of a
 * target is told as one value (`state`), what happens to it as one event each. Times are milliseconds since the epoch.
 */
import type { OnPublishAction } from '../../config/on-publish.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { CaUse } from '../../pki/ca-set.ts'
import type { VaultEvent } from '../../vault/vault-event.ts'
import type { Finding, ProbeCode, Verdict } from '../gate/probe/outcome.ts'

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

/** What there is to tell of a target's state (target-state.ts): one value, without a key. */
export interface TargetView {
  /** What was published last. */
  readonly certificate: PublishedCertificate | undefined
  /** The last attempt, if it failed and nothing good has been published since: what comes from a fallback ends no failure. */
  readonly failure: TargetFailure | undefined
  /** What came of asking etcd about what is published; undefined if it was not asked. */
  readonly verification: Verification | undefined
  /** How many certificates an hour may see, and when each of those that were made stops counting. */
  readonly budget: { readonly limit: number; readonly spentUntilMs: readonly number[] } | undefined
}

export interface TargetFailure {
  readonly reason: ReasonCode
  readonly detail: string
  readonly atMs: number
  /** When attempts began to fail for this reason. */
  readonly firstAtMs: number
  readonly retryAtMs: number
}

/** Whether etcd has accepted a bundle, as far as it could be asked; if not, why not. */
export type Verification =
  | { readonly isAccepted: true }
  | { readonly isAccepted: false; readonly reason: ProbeCode; readonly detail: string }

export type AgentEvent =
  | ProvisionEvent
  | VaultEvent
  | { type: 'started'; version: string; node: string; authMethod: string; targets: readonly TargetName[] }
  | { type: 'listening'; address: string }
  | { type: 'listen-failed'; detail: string }
  | { type: 'long-name'; component: string; node: string; commonName: string; length: number }
  | { type: 'issued'; component: string; serialNumber: string; keyReused: boolean; reason: ReasonCode }
  /** What is known of the target is another than before. */
  | { type: 'state'; component: string; state: TargetView }
  | { type: 'found'; component: string; certificate: PublishedCertificate }
  | {
      type: 'published'
      component: string
      reason: ReasonCode
      durationMs: number
      certificate: PublishedCertificate
    }
  | {
      /** An attempt failed: what is published stays. */
      type: 'renewal-failed'
      component: string
      reason: ReasonCode
      detail: string
      retryAtMs: number
      /** End of the published certificate; undefined if there is none. */
      notAfterMs: number | undefined
      /** How long the published certificate works in all. */
      lifetimeMs: number | undefined
    }
  | {
      /** etcd was asked about a bundle; what is refused is told again as `renewal-failed`, `fallback-failed` or `ca-refresh-failed`. */
      type: 'probed'
      component: string
      outcome: Finding['code']
      detail: string
      verdict: Verdict
      durationMs: number
    }
  | { type: 'recovered'; component: string }
  | { type: 'ca-refresh-failed'; component: string; reason: ReasonCode; detail: string }
  | { type: 'fallback-failed'; component: string; reason: ReasonCode; detail: string }
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
  | {
      /** AGENT_ON_PUBLISH: the consumers have been told what was published. */
      type: 'on-publish-done'
      component: string
      action: OnPublishAction['kind']
      durationMs: number
      /** What the program or the answer said. */
      output: string
    }
  | {
      type: 'on-publish-failed'
      component: string
      action: OnPublishAction['kind']
      reason: ReasonCode
      detail: string
      retryAtMs: number
      /** Whether it failed the time before too. */
      repeated: boolean
    }
  /** Something about the directory that endangers nothing now; told once. */
  | { type: 'store-flaw'; component: string; reason: ReasonCode; detail: string }
  | { type: 'watch-failed'; detail: string }
  | { type: 'heartbeat'; component: string; nextStepAtMs: number }
  | { type: 'stopped'; signal: string }

/** What `provision watch` tells about itself, beside the events of its certificate. */
export type ProvisionEvent =
  | { type: 'provision-nodes'; count: number }
  | { type: 'provision-source-reached'; source: string; nodes: number }
  /** What is known of the nodes may be out of date; nobody is removed until that has passed. */
  | { type: 'provision-source-failed'; reason: ReasonCode; detail: string; retryAtMs: number | undefined }
  | { type: 'provision-identity'; user: string; isFirst: boolean }
  /** A new certificate is there, but the connection goes on with the one before. */
  | { type: 'provision-identity-refused'; reason: ReasonCode; detail: string }
  | { type: 'provision-node-departed'; node: string; graceMs: number }
  | { type: 'provision-node-back'; node: string }
  | { type: 'provision-node-removed'; node: string }
  | {
      type: 'provision-change'
      kind: string
      text: { readonly sign: '+' | '~' | '-'; readonly subject: string; readonly what: string; readonly why: string }
    }
  | { type: 'provision-note'; text: string }
  | { type: 'provision-held'; why: 'list-empty' | 'list-not-current' | 'too-many-at-once'; nodes: number }
  | {
      type: 'provision-done'
      isFull: boolean
      changes: number
      nodes: number
      pending: number
      held: number
      /** Users and roles of somebody else's in the place of ours. */
      conflicts: number
      durationMs: number
    }
  | { type: 'provision-failed'; reason: ReasonCode; detail: string; retryAtMs: number }
  | { type: 'provision-heartbeat'; nextStepAtMs: number }

export type EventType = AgentEvent['type']
export type EventOf<Type extends EventType> = Extract<AgentEvent, { type: Type }>

/** What somebody makes of events, by their type. */
export type EventTable<Result> = { readonly [Type in EventType]?: (event: EventOf<Type>) => Result }

/** Undefined if the table has no row for the event. */
export function lookUp<Result>(table: EventTable<Result>, event: AgentEvent): Result | undefined {
  return table[event.type]?.(event as never)
}

export type Listener = (event: AgentEvent) => void

/** Hands every event to its listeners; keeps those that come before the first listener, as the log is loaded late. */
export interface EventHub {
  emit: Listener
  attach(listener: Listener): void
}

/** With nobody listening, the oldest events of a long start are the ones that explain least. */
const maxBacklog = 1000

export function createEventHub(): EventHub {
  const listeners: Listener[] = []
  let backlog: AgentEvent[] | undefined = []
  return {
    emit: (event) => {
      for (const listener of listeners) listener(event)
      backlog?.push(event)
      if (backlog !== undefined && backlog.length > maxBacklog) backlog.shift()
    },
    attach: (listener) => {
      for (const event of backlog ?? []) listener(event)
      backlog = undefined
      listeners.push(listener)
    },
  }
}

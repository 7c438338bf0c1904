/** Owns what `provision watch` tells about itself, beside the events of the agent. */
import type { ReasonCode } from '../../core/reason-catalog.ts'

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

export function isProvisionEvent<Event extends { readonly type: string }>(
  event: Event,
): event is Event & ProvisionEvent {
  return event.type.startsWith('provision-')
}

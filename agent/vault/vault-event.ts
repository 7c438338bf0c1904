/** What the way to Vault tells about itself; log and metrics listen (sidecar/observe/events.ts). */
import type { ReasonCode } from '../core/reason-catalog.ts'

/** What a request to Vault is for: the label of the request metrics. */
export const operations = ['login', 'sign', 'issuers', 'issuer', 'secret', 'token', 'health', 'setup'] as const
export type Operation = (typeof operations)[number]

/** Times are milliseconds since the epoch. */
export type VaultEvent =
  | { type: 'vault-request'; operation: Operation; outcome: string; durationMs: number }
  /** One of several addresses answers, and it is the first one or another than before. `instead`: what was wrong with those tried first. */
  | { type: 'vault-address'; address: string; instead: readonly { reason: ReasonCode; detail: string }[] }
  | { type: 'clock-skew'; skewMs: number }
  | { type: 'credential'; expiresAtMs: number | undefined }
  | { type: 'login'; method: string; mount: string; expiresAtMs: number | undefined }
  /** A token that was handed to us: how long it lives was looked up, or made longer. */
  | { type: 'token'; expiresAtMs: number | undefined }

export type VaultListener = (event: VaultEvent) => void

/** Owns what the agent has told of itself, held once: health, gauges and the status read it here, and ask nobody. */
import type { Clock } from '../../core/clock.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Operation } from '../../vault/vault-event.ts'
import type { AgentEvent, EventOf, Listener, TargetView } from './events.ts'
import { addHappening, type Happening } from './timeline.ts'

export interface Present {
  readonly listener: Listener
  /** By component. */
  readonly targets: ReadonlyMap<string, Readonly<TargetPresent>>
  readonly vault: VaultSight
  /** Where Vault answers, if it has several addresses and one has answered. */
  readonly vaultAddress: string | undefined
  readonly provision: Readonly<ProvisionPresent>
}

export interface TargetPresent {
  /** Undefined until something is known. */
  state: TargetView | undefined
  /** Why the consumers of what is published could not be told (AGENT_ON_PUBLISH); undefined if they could. */
  notTold: NotTold | undefined
  /** What was told last of the CNI plugin's copy, if one is kept. */
  hostCopy: EventOf<'host-copied' | 'host-copy-failed'> | undefined
  /** Whether the copy has never been in step since the start, and not because install-cni has still to come; undefined until that is known. */
  isHostCopyRefused: boolean | undefined
  /** When the loop is expected to be heard of again: nobody dies because the wall clock was set. */
  expectedAtMono: number
  /** Newest first. */
  happenings: readonly Happening[]
}

export type NotTold = Pick<EventOf<'on-publish-failed'>, 'reason' | 'detail' | 'retryAtMs'>

/** When Vault was seen last, by which request, and since when it fails: every request counts, a poll of the issuers too. */
export interface VaultSight {
  /** Undefined until Vault has answered. */
  readonly answered: { readonly atMs: number; readonly operation: Operation } | undefined
  /** Of the last request; undefined if Vault answered it. */
  readonly failure: { readonly reason: ReasonCode; readonly atMs: number; readonly firstAtMs: number } | undefined
}

/** Of `provision watch`. */
export interface ProvisionPresent {
  hasBeenInStep: boolean
  isSourceReached: boolean
  /** Why the nodes cannot be listed, and why etcd could not be brought in step. */
  source: { readonly reason: ReasonCode; readonly detail: string } | undefined
  etcd: ProvisionPresent['source']
  expectedAtMono: number
}

export function createPresent(components: readonly string[], clock: Clock): Present {
  const startedAtMono = clock.monotonic()
  const targets = new Map(components.map((component) => [component, unknownTarget(startedAtMono)]))
  const provision = unknownProvision(startedAtMono)
  const present = { targets, provision, vault: unseenVault, vaultAddress: undefined as string | undefined, listener }
  return present

  function listener(event: AgentEvent): void {
    if (event.type === 'vault-request') present.vault = seeVault(present.vault, event, clock.now())
    if (event.type === 'vault-address') present.vaultAddress = event.address
    const target = 'component' in event ? targets.get(event.component) : undefined
    if (target !== undefined) tellTarget(target, event, clock)
    if (event.type.startsWith('provision-')) tellProvision(provision, event, clock)
  }
}

function unknownTarget(startedAtMono: number): TargetPresent {
  return {
    state: undefined,
    notTold: undefined,
    hostCopy: undefined,
    isHostCopyRefused: undefined,
    expectedAtMono: startedAtMono,
    happenings: [],
  }
}

function tellTarget(target: TargetPresent, event: AgentEvent, clock: Clock): void {
  target.happenings = addHappening(target.happenings, event, clock.now())
  switch (event.type) {
    case 'state':
      target.state = event.state
      break
    case 'on-publish-done':
      target.notTold = undefined
      break
    case 'on-publish-failed': {
      const { reason, detail, retryAtMs } = event
      target.notTold = { reason, detail, retryAtMs }
      break
    }
    case 'host-copied':
      target.hostCopy = event
      target.isHostCopyRefused = false
      break
    case 'host-copy-failed':
      target.hostCopy = event
      if (event.reason !== 'host-copy-absent') target.isHostCopyRefused ??= true
      break
    case 'heartbeat':
      target.expectedAtMono = expectedAt(event, clock)
  }
}

function expectedAt({ nextStepAtMs }: { readonly nextStepAtMs: number }, clock: Clock): number {
  return clock.monotonic() + Math.max(0, nextStepAtMs - clock.now())
}

const unseenVault: VaultSight = { answered: undefined, failure: undefined }

/** A refusal is an answer. */
function seeVault(before: VaultSight, event: EventOf<'vault-request'>, atMs: number): VaultSight {
  const { operation, outcome } = event
  if (!isReason(outcome) || reasons[outcome].retry !== 'outage') {
    return { answered: { atMs, operation }, failure: undefined }
  }
  return { ...before, failure: { reason: outcome, atMs, firstAtMs: before.failure?.firstAtMs ?? atMs } }
}

function isReason(outcome: string): outcome is ReasonCode {
  return Object.hasOwn(reasons, outcome)
}

function unknownProvision(startedAtMono: number): ProvisionPresent {
  return {
    hasBeenInStep: false,
    isSourceReached: false,
    source: undefined,
    etcd: undefined,
    expectedAtMono: startedAtMono,
  }
}

function tellProvision(provision: ProvisionPresent, event: AgentEvent, clock: Clock): void {
  // Whatever it tells, it is alive.
  provision.expectedAtMono = clock.monotonic()
  switch (event.type) {
    case 'provision-heartbeat':
      provision.expectedAtMono = expectedAt(event, clock)
      break
    case 'provision-failed':
      provision.etcd = { reason: event.reason, detail: event.detail }
      break
    case 'provision-source-failed':
      provision.isSourceReached = false
      provision.source = { reason: event.reason, detail: event.detail }
      break
    case 'provision-source-reached':
      provision.isSourceReached = true
      provision.source = undefined
      break
    case 'provision-done':
      provision.hasBeenInStep = true
      provision.etcd = undefined
  }
}

/** Owns what the agent has told of itself, held once: health, gauges and the status read it here, and ask nobody. */
import type { Clock } from '../../core/clock.ts'
import { isReasonCode, type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Operation } from '../../vault/vault-event.ts'
import { type EventOf, type EventTable, type Listener, lookUp, type ProvisionEvent, type TargetView } from './events.ts'
import { addHappening, type Happening } from './timeline.ts'

export interface Present {
  readonly listener: Listener
  /** By component. */
  readonly targets: ReadonlyMap<string, TargetPresent>
  readonly vault: VaultSight
  /** Where Vault answers, if it has several addresses and one has answered. */
  readonly vaultAddress: string | undefined
  readonly provision: ProvisionPresent
}

export interface TargetPresent {
  /** Undefined until something is known. */
  readonly state: TargetView | undefined
  /** Why the consumers of what is published could not be told (AGENT_ON_PUBLISH); undefined if they could. */
  readonly notTold: Pick<EventOf<'on-publish-failed'>, 'reason' | 'detail' | 'retryAtMs'> | undefined
  /** What was told last of the CNI plugin's copy, if one is kept. */
  readonly hostCopy: EventOf<'host-copied' | 'host-copy-failed'> | undefined
  /** Whether the copy has been in step since the start. */
  readonly wasHostCopyMade: boolean
  /** Whether it has failed since the start, and not because install-cni has still to come. */
  readonly wasHostCopyRefused: boolean
  /** When the loop is expected to be heard of again: nobody dies because the wall clock was set. */
  readonly expectedAtMono: number
  /** Newest first. */
  readonly happenings: readonly Happening[]
}

/** When Vault was seen last, by which request, and since when it fails: every request counts, a poll of the issuers too. */
export interface VaultSight {
  /** Undefined until Vault has answered. */
  readonly answered: { readonly atMs: number; readonly operation: Operation } | undefined
  /** Of the last request; undefined if Vault answered it. */
  readonly failure: { readonly reason: ReasonCode; readonly atMs: number; readonly firstAtMs: number } | undefined
}

/** Of `provision watch`. */
export interface ProvisionPresent {
  readonly hasBeenInStep: boolean
  readonly isSourceReached: boolean
  /** Why the nodes cannot be listed. */
  readonly source: { readonly reason: ReasonCode; readonly detail: string } | undefined
  /** Why etcd could not be brought in step. */
  readonly etcd: ProvisionPresent['source']
  readonly expectedAtMono: number
}

export function createPresent(components: readonly string[], clock: Clock): Present {
  const changesOfTarget = targetChanges(clock)
  const changesOfProvision = provisionChanges(clock)
  const targets = new Map(components.map((component) => [component, unknownTarget(clock)]))
  const present: { -readonly [Part in keyof Present]: Present[Part] } = {
    targets,
    vault: { answered: undefined, failure: undefined },
    vaultAddress: undefined,
    provision: unknownProvision(clock),
    listener(event) {
      if ('component' in event) {
        const target = targets.get(event.component)
        if (target === undefined) return
        const happenings = addHappening(target.happenings, event, clock.now())
        targets.set(event.component, { ...target, ...lookUp(changesOfTarget, event), happenings })
      } else if (event.type === 'vault-request') {
        present.vault = seeVault(present.vault, event, clock.now())
      } else if (event.type === 'vault-address') {
        present.vaultAddress = event.address
      }
      const ofProvision = lookUp<Partial<ProvisionPresent>>(changesOfProvision, event)
      // Whatever it tells, it is alive.
      if (ofProvision !== undefined) {
        present.provision = { ...present.provision, expectedAtMono: clock.monotonic(), ...ofProvision }
      }
    },
  }
  return present
}

function unknownTarget(clock: Clock): TargetPresent {
  return {
    state: undefined,
    notTold: undefined,
    hostCopy: undefined,
    wasHostCopyMade: false,
    wasHostCopyRefused: false,
    expectedAtMono: clock.monotonic(),
    happenings: [],
  }
}

/** What an event changes in what is known of its target. */
function targetChanges(clock: Clock): EventTable<Partial<TargetPresent>> {
  return {
    state: ({ state }) => ({ state }),
    heartbeat: (event) => ({ expectedAtMono: expectedAt(event, clock) }),
    'host-copied': (event) => ({ hostCopy: event, wasHostCopyMade: true }),
    'host-copy-failed': (event) => ({
      hostCopy: event,
      ...(event.reason !== 'host-copy-absent' && { wasHostCopyRefused: true }),
    }),
    'on-publish-done': () => ({ notTold: undefined }),
    'on-publish-failed': ({ reason, detail, retryAtMs }) => ({ notTold: { reason, detail, retryAtMs } }),
  }
}

function unknownProvision(clock: Clock): ProvisionPresent {
  return {
    hasBeenInStep: false,
    isSourceReached: false,
    source: undefined,
    etcd: undefined,
    expectedAtMono: clock.monotonic(),
  }
}

type ProvisionTable = Required<Pick<EventTable<Partial<ProvisionPresent>>, ProvisionEvent['type']>>

/** What each event of `provision watch` changes in what is known of it. */
function provisionChanges(clock: Clock): ProvisionTable {
  const nothing = () => ({})
  return {
    'provision-heartbeat': (event) => ({ expectedAtMono: expectedAt(event, clock) }),
    'provision-failed': ({ reason, detail }) => ({ etcd: { reason, detail } }),
    'provision-done': () => ({ hasBeenInStep: true, etcd: undefined }),
    'provision-source-failed': ({ reason, detail }) => ({ isSourceReached: false, source: { reason, detail } }),
    'provision-source-reached': () => ({ isSourceReached: true, source: undefined }),
    'provision-nodes': nothing,
    'provision-identity': nothing,
    'provision-identity-refused': nothing,
    'provision-node-departed': nothing,
    'provision-node-back': nothing,
    'provision-node-removed': nothing,
    'provision-change': nothing,
    'provision-note': nothing,
    'provision-held': nothing,
  }
}

function expectedAt({ nextStepAtMs }: { readonly nextStepAtMs: number }, clock: Clock): number {
  return clock.monotonic() + Math.max(0, nextStepAtMs - clock.now())
}

/** A refusal is an answer. */
function seeVault(before: VaultSight, event: EventOf<'vault-request'>, atMs: number): VaultSight {
  const { operation, outcome } = event
  if (!isReasonCode(outcome) || reasons[outcome].retry !== 'outage') {
    return { answered: { atMs, operation }, failure: undefined }
  }
  return { ...before, failure: { reason: outcome, atMs, firstAtMs: before.failure?.firstAtMs ?? atMs } }
}

/** Owns what has happened to each target since the agent started: the last rotations and failures, for the status page. */
import type { Clock } from '../../core/clock.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Listener, TargetName } from './events.ts'
import { seeVault, unseenVault, type VaultSight } from './vault-sight.ts'

export interface Happening {
  readonly atMs: number
  /**
   * `renewal-failed`: what was published stayed. `look-failed`: the source could not be checked for CA changes, or its set was
   * refused. `unproven`: it was published although etcd had not accepted it.
   */
  readonly what: 'found' | 'published' | 'renewal-failed' | 'look-failed' | 'unproven' | 'recovered'
  readonly reason?: ReasonCode
  /** Of a certificate that was published: it came from a cache or a static Secret, so what failed before still fails. */
  readonly isFallback?: boolean
  readonly detail?: string
  /** Of the certificate that was found or published. */
  readonly serialNumber?: string
  readonly renewAtMs?: number
  readonly retryAtMs?: number
  /** How often in a row, if it is more than once; `atMs` is the last time. */
  readonly times?: number
  readonly firstAtMs?: number
}

export interface Timeline {
  readonly listener: Listener
  /** Newest first. */
  of(component: string): readonly Happening[]
  /** Where Vault answers, if it has several addresses and one has answered. */
  vaultAddress(): string | undefined
  vault(): VaultSight
  /** Why the consumers of what is published could not be told (AGENT_ON_PUBLISH); undefined if they could. */
  notTold(component: string): NotTold | undefined
}

export interface NotTold {
  readonly reason: ReasonCode
  readonly detail: string
  readonly retryAtMs: number
}

const mostHappenings = 20

export function createTimeline(targets: readonly Pick<TargetName, 'component'>[], clock: Clock): Timeline {
  const happenings = new Map<string, Happening[]>(targets.map(({ component }) => [component, []]))

  function add(component: string, happening: Omit<Happening, 'atMs'>): void {
    const list = happenings.get(component)
    if (list === undefined) return
    const atMs = clock.now()
    const [last] = list
    // An outage of days is one line, and pushes nothing else out.
    if (
      last !== undefined &&
      (happening.what === 'renewal-failed' || happening.what === 'look-failed') &&
      last.what === happening.what &&
      last.reason === happening.reason
    ) {
      list[0] = { ...happening, atMs, times: (last.times ?? 1) + 1, firstAtMs: last.firstAtMs ?? last.atMs }
    } else {
      list.unshift({ ...happening, atMs })
      if (list.length > mostHappenings) list.pop()
    }
  }

  let vaultAddress: string | undefined
  let vault = unseenVault
  const notTold = new Map<string, NotTold>()

  return {
    vaultAddress: () => vaultAddress,
    vault: () => vault,
    notTold: (component) => notTold.get(component),
    of: (component) => happenings.get(component) ?? [],
    listener: (event) => {
      vault = seeVault(vault, event, clock)
      if (event.type === 'found' || event.type === 'published') {
        const { reason, isFallback = false } = event.type === 'published' ? event : {}
        const origin = { ...(reason && { reason }), ...(isFallback && { isFallback }) }
        const { serialNumber, renewAtMs } = event.certificate
        add(event.component, { what: event.type, serialNumber, renewAtMs, ...origin })
      } else if (event.type === 'renewal-failed') {
        const { component, reason, detail, retryAtMs } = event
        add(component, { what: 'renewal-failed', reason, detail, retryAtMs })
      } else if (event.type === 'ca-refresh-failed') {
        add(event.component, { what: 'look-failed', reason: event.reason, detail: event.detail })
      } else if (event.type === 'on-publish-failed') {
        const { component, reason, detail, retryAtMs } = event
        notTold.set(component, { reason, detail, retryAtMs })
      } else if (event.type === 'on-publish-done') {
        notTold.delete(event.component)
      } else if (event.type === 'vault-address') {
        vaultAddress = event.address
      } else if (event.type === 'recovered') {
        add(event.component, { what: 'recovered' })
      } else if (event.type === 'probed' && event.verdict === 'unverified' && event.outcome !== 'accepted') {
        add(event.component, { what: 'unproven', reason: event.outcome, detail: event.detail })
      }
    },
  }
}

/** The failure that lasts: what came from a cache meanwhile does not end it. */
export function lastingFailure(happenings: readonly Happening[]): Happening | undefined {
  for (const each of happenings) {
    if (each.what === 'renewal-failed') return each
    const isCached = each.what === 'published' && each.isFallback === true
    if (!isCached && each.what !== 'unproven' && each.what !== 'look-failed') return undefined
  }
  return undefined
}

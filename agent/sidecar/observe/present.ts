/** Owns what is true now, as it was told last: each target's state, whether its consumers know of it, and how Vault was seen. */
import type { Clock } from '../../core/clock.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Listener, TargetView } from './events.ts'
import { seeVault, unseenVault, type VaultSight } from './vault-sight.ts'

export interface Present {
  readonly listener: Listener
  /** Undefined until something is known. */
  state(component: string): TargetView | undefined
  /** Why the consumers of what is published could not be told (AGENT_ON_PUBLISH); undefined if they could. */
  notTold(component: string): NotTold | undefined
  vault(): VaultSight
  /** Where Vault answers, if it has several addresses and one has answered. */
  vaultAddress(): string | undefined
}

export interface NotTold {
  readonly reason: ReasonCode
  readonly detail: string
  readonly retryAtMs: number
}

export function createPresent(clock: Clock): Present {
  const states = new Map<string, TargetView>()
  const notTold = new Map<string, NotTold>()
  let vault = unseenVault
  let vaultAddress: string | undefined
  return {
    state: (component) => states.get(component),
    notTold: (component) => notTold.get(component),
    vault: () => vault,
    vaultAddress: () => vaultAddress,
    listener(event) {
      vault = seeVault(vault, event, clock)
      if (event.type === 'state') states.set(event.component, event.state)
      else if (event.type === 'vault-address') vaultAddress = event.address
      else if (event.type === 'on-publish-done') notTold.delete(event.component)
      else if (event.type === 'on-publish-failed') {
        const { component, reason, detail, retryAtMs } = event
        notTold.set(component, { reason, detail, retryAtMs })
      }
    },
  }
}

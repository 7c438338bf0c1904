/** Owns the Vaults that a test of the agent or of its commands runs against: the development Vault and, where it is there, a real one. */
import { describe } from 'vitest'
import { locateServer } from '../servers/locate.ts'
import { startDevVault } from './dev-vault/dev-vault.ts'
import { startRealVault } from './real-vault.ts'
import type { VaultServer } from './vault-server.ts'

export interface VaultSubject {
  readonly name: string
  readonly isReal: boolean
  readonly missing?: string | undefined
  readonly start: () => Promise<VaultServer>
}

const real = locateServer('vault')

export const realVaultSubject: VaultSubject = {
  name: 'the real Vault',
  isReal: true,
  missing: 'missing' in real ? real.missing : undefined,
  start: startRealVault,
}

export const vaultSubjects: readonly VaultSubject[] = [
  { name: 'the development Vault', isReal: false, start: startDevVault },
  realVaultSubject,
]

/** Cases over one of them; left out with the reason where it is missing. */
export function describeVault(
  { name, missing, ...subject }: VaultSubject,
  title: string,
  cases: (subject: Pick<VaultSubject, 'isReal' | 'start'>) => void,
): void {
  const leftOut = missing === undefined ? '' : ` (left out: ${missing})`
  describe.skipIf(missing !== undefined)(`${title}: ${name}${leftOut}`, () => {
    cases(subject)
  })
}

/**
 * One contract for every Vault that this project talks to: the development Vault in both flavours, and the real server. What is
 * promised about Vault's answers (facts in docs, and the fault handling built on them) is promised here.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { locateServer } from '../servers/locate.ts'
import { startDevVault } from '../support/dev-vault/dev-vault.ts'
import { startRealVault } from '../support/real-vault.ts'
import type { VaultServer } from '../support/vault-server.ts'
import { type Contract, startContract } from './vault-contract/contract.ts'
import { issuerCases, revocationCases } from './vault-contract/issuers.ts'
import { jwtCases, kubernetesCases } from './vault-contract/logins.ts'
import { nameCases } from './vault-contract/names.ts'
import { inlineCases, machineCases, secretCases, tokenCases } from './vault-contract/other-methods.ts'
import { quotaCases, sealCases } from './vault-contract/seal.ts'
import { signingCases } from './vault-contract/signing.ts'

interface Subject {
  readonly title: string
  readonly isMissing?: boolean
  readonly start: () => Promise<VaultServer>
}

const real = locateServer('vault')
const realVault: Subject =
  'missing' in real
    ? { title: `the real Vault (skipped: ${real.missing})`, isMissing: true, start: startRealVault }
    : { title: 'the real Vault', start: startRealVault }

const subjects: readonly Subject[] = [
  { title: 'the development Vault', start: async () => await startDevVault() },
  { title: 'the development Vault as OpenBao', start: async () => await startDevVault({ flavour: 'openbao' }) },
  realVault,
]

describe.each(subjects)('$title', ({ start, isMissing = false }) => {
  describe.skipIf(isMissing)('answers as agreed', () => {
    let contract: Contract | undefined
    beforeAll(async () => {
      contract = await startContract(start)
    })
    afterAll(async () => {
      await contract?.stop()
    })
    const contracted = (): Contract => {
      if (contract === undefined) throw new Error('the server did not start')
      return contract
    }
    jwtCases(contracted)
    kubernetesCases(contracted)
    nameCases(contracted)
    signingCases(contracted)
    issuerCases(contracted)
    revocationCases(contracted)
    tokenCases(contracted)
    machineCases(contracted)
    secretCases(contracted)
    inlineCases(contracted)
    // These concern the whole server.
    quotaCases(contracted)
    sealCases(contracted)
  })
})

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
  readonly name: string
  readonly isMissing: boolean
  start(): Promise<VaultServer>
}

const real = locateServer('vault')
const missing = 'missing' in real ? real.missing : undefined

const subjects: readonly Subject[] = [
  { name: 'the development Vault', isMissing: false, start: async () => await startDevVault() },
  {
    name: 'the development Vault as OpenBao',
    isMissing: false,
    start: async () => await startDevVault({ flavour: 'openbao' }),
  },
  {
    name: missing === undefined ? 'the real Vault' : `the real Vault (skipped: ${missing})`,
    isMissing: missing !== undefined,
    start: startRealVault,
  },
]

for (const { name, isMissing, start } of subjects) {
  describe.skipIf(isMissing)(name, () => {
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
    describe('jwt logins', () => jwtCases(contracted))
    describe('kubernetes logins', () => kubernetesCases(contracted))
    describe('names', () => nameCases(contracted))
    describe('signing', () => signingCases(contracted))
    describe('issuers', () => issuerCases(contracted))
    describe('revocation', () => revocationCases(contracted))
    describe('tokens', () => tokenCases(contracted))
    describe('approle and cert', () => machineCases(contracted))
    describe('secrets', () => secretCases(contracted))
    describe('inline authentication', () => inlineCases(contracted))
    describe('quotas', () => quotaCases(contracted))
    describe('health and seal', () => sealCases(contracted))
  })
}

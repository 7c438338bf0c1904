/** Owns the Vault that the measured programs ask: the development Vault in another process, or the real one of `npm run servers`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DevVaultProcess } from '../support/dev-vault/process.ts'
import { startRealVault } from '../support/real-vault.ts'
import { createServiceAccountIssuer } from '../support/service-account.ts'
import { vaultApi } from '../support/vault-api.ts'
import { setUpVault } from '../support/vault-setup.ts'
import { memoryDirectory } from './memory-directory.ts'

export type BenchVault = Pick<DevVaultProcess, 'address' | 'caFile' | 'tokenFile' | 'stop'> & {
  /** Requests since it was set up; undefined if the server does not tell. */
  readonly requestCount: (() => Promise<number>) | undefined
}

const node = 'node1'

/** A real Vault, set up as recommended; it may also make the key itself, for programs that leave that to Vault. */
export async function startRealBenchVault(): Promise<BenchVault> {
  const vault = await startRealVault()
  const accounts = createServiceAccountIssuer()
  await setUpVault(vault, { jwt: { issuer: accounts.issuer, publicKeyPem: accounts.publicKeyPem } })
  const api = vaultApi(vault)
  const paths = ['pki/sign/calico-node', 'pki/issue/calico-node', 'auth/token/lookup-self', 'auth/token/renew-self']
  const path = Object.fromEntries(paths.map((each) => [each, { capabilities: ['read', 'update'] }]))
  await api.root('PUT', 'sys/policies/acl/calico-node-pki', { policy: JSON.stringify({ path }) })
  api.close()
  const directory = mkdtempSync(join(memoryDirectory(), 'calico-vault-agent-bench-vault-'))
  const [caFile, tokenFile] = [join(directory, 'ca.pem'), join(directory, `${node}.jwt`)]
  writeFileSync(caFile, vault.caPem)
  writeFileSync(tokenFile, accounts.token({ node }), { mode: 0o600 })
  return {
    address: vault.address,
    caFile,
    tokenFile: () => tokenFile,
    requestCount: undefined,
    async stop() {
      await vault.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

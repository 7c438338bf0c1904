/**
 * Owns what the tests of the whole agent share: the Vaults that they run against, each set up as recommended once a file, and
 * the environment of an agent on a node of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { describeVault, vaultSubjects } from '../../support/each-vault.ts'
import { type FakeKube, startFakeKube } from '../../support/fake-kube.ts'
import {
  createServiceAccountIssuer,
  type ServiceAccountIssuer,
  type ServiceAccountTokenOptions,
} from '../../support/service-account.ts'
import { type OnEnd, tempDir } from '../../support/temp-dir.ts'
import { type VaultApi, vaultApi } from '../../support/vault-api.ts'
import type { VaultServer } from '../../support/vault-server.ts'
import { setUpVault, type VaultSetup, type VaultSetupOptions } from '../../support/vault-setup.ts'

export interface Lab {
  readonly isReal: boolean
  readonly vault: VaultServer
  readonly api: VaultApi
  readonly setup: VaultSetup
  readonly accounts: ServiceAccountIssuer
  readonly kube: FakeKube
  /** Of the client certificates for the cert auth method. */
  readonly clientCa: TestCa
  stop(): Promise<void>
}

export type LabOptions = Pick<VaultSetupOptions, 'ttl' | 'notBeforeDuration' | 'tokenType' | 'tokenTtl' | 'keyType'>

/** Cases take the lab when they run: it does not exist yet when they are declared. */
export type Cases = (lab: () => Lab) => void

/** The same cases over the development Vault and over the real one, which is left out with the reason where it is missing. */
export function describeEachVault(title: string, options: LabOptions, cases: Cases): void {
  for (const subject of vaultSubjects) {
    describeVault(subject, title, ({ isReal, start }) => withLab(start, options, cases, isReal))
  }
}

export function withLab(start: () => Promise<VaultServer>, options: LabOptions, cases: Cases, isReal = false): void {
  let lab: Lab | undefined
  beforeAll(async () => {
    lab = { ...(await startLab(await start(), options)), isReal }
  })
  afterAll(async () => {
    await lab?.stop()
  })
  cases(() => {
    if (lab === undefined) throw new Error('the Vault did not start')
    return lab
  })
}

export async function startLab(vault: VaultServer, options: LabOptions): Promise<Omit<Lab, 'isReal'>> {
  const accounts = createServiceAccountIssuer()
  const kube = await startFakeKube(accounts)
  const clientCa = await createCa({ commonName: 'Node CA' })
  const { issuer, publicKeyPem } = accounts
  const setup = await setUpVault(vault, {
    ...options,
    jwt: { issuer, publicKeyPem },
    kubernetes: { host: kube.address, caPem: kube.caPem, reviewerToken: kube.reviewerToken },
    approle: { nodes: ['node1', 'node2'] },
    cert: { caPem: clientCa.certificatePem, commonNames: ['node*'] },
    token: true,
  })
  const api = vaultApi(vault)
  return {
    vault,
    api,
    setup,
    accounts,
    kube,
    clientCa,
    async stop() {
      api.close()
      await kube.stop()
      await vault.stop()
    },
  }
}

export interface NodeOptions {
  /** Default: node1. */
  readonly node?: string
  /** Where the agent finds Vault. Default: the Vault itself. */
  readonly at?: Pick<VaultServer, 'address' | 'caFile'>
  /** Of the service-account token. */
  readonly token?: ServiceAccountTokenOptions
  /** Added to the environment, or instead of what is in it; undefined takes away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: the end of the test that runs now. */
  readonly onEnd?: OnEnd
}

export interface TestNode {
  readonly root: string
  /** The target's directory. */
  readonly directory: string
  readonly tokenFile: string
  /** Login by jwt, one target. */
  readonly environment: Readonly<Record<string, string>>
}

/** An empty directory, a service-account token and the environment of an agent on a node; gone after the test. */
export function createTestNode(
  { vault, accounts }: Pick<Lab, 'vault' | 'accounts'>,
  options: NodeOptions = {},
): TestNode {
  const { node = 'node1', at = vault } = options
  const root = tempDir(options.onEnd)
  const directory = join(root, 'secrets')
  const tokenFile = join(root, 'token')
  mkdirSync(directory)
  writeFileSync(tokenFile, accounts.token({ node, ...options.token }))
  const environment = {
    VAULT_ADDR: at.address,
    VAULT_CACERT: at.caFile,
    NODE_NAME: node,
    AGENT_AUTH_METHOD: 'jwt',
    AGENT_AUTH_TOKEN_FILE: tokenFile,
    AGENT_DIR: directory,
  }
  return { root, directory, tokenFile, environment: changed(environment, options.env ?? {}) }
}

/** An environment with some variables set, and those taken away that are undefined. */
export function changed(
  environment: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const entries = Object.entries({ ...environment, ...changes })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

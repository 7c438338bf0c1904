/** Owns what the cases of the contract share: one server with everything set up, and the calls that they are made of. */
import { expect } from 'vitest'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { createCsr } from '../../support/csr.ts'
import { type FakeKube, startFakeKube } from '../../support/fake-kube.ts'
import {
  createServiceAccountIssuer,
  type ServiceAccountIssuer,
  type ServiceAccountTokenOptions,
} from '../../support/service-account.ts'
import { type VaultAnswer, type VaultApi, vaultApi } from '../../support/vault-api.ts'
import type { VaultServer } from '../../support/vault-server.ts'
import { setUpVault, type VaultSetup } from '../../support/vault-setup.ts'

export interface Contract {
  readonly vault: VaultServer
  readonly api: VaultApi
  readonly setup: VaultSetup
  readonly accounts: ServiceAccountIssuer
  readonly kube: FakeKube
  /** Of the client certificates for the cert auth method. */
  readonly clientCa: TestCa
  /** A request with a good key. */
  readonly csr: string
  readonly csrKey: string
  /** What `sys/health` says. OpenBao's numbers begin with 2. */
  readonly version: string
  readonly isOpenBao: boolean
  stop(): Promise<void>
}

/** Cases take the contract when they run: it does not exist yet when they are declared. */
export type Contracted = () => Contract

export async function startContract(start: () => Promise<VaultServer>): Promise<Contract> {
  const vault = await start()
  const api = vaultApi(vault)
  const accounts = createServiceAccountIssuer()
  const kube = await startFakeKube(accounts)
  const clientCa = await createCa({ commonName: 'Node CA' })
  const { issuer, publicKeyPem } = accounts
  const setup = await setUpVault(vault, {
    jwt: { issuer, publicKeyPem },
    kubernetes: { host: kube.address, caPem: kube.caPem, reviewerToken: kube.reviewerToken },
    approle: { nodes: ['node1', 'node2'] },
    cert: { caPem: clientCa.certificatePem, commonNames: ['node*'] },
    token: true,
  })
  const { csrPem, privateKeyPem } = await createCsr()
  const health = JSON.parse((await api.call('GET', 'sys/health')).text) as { version: string }
  return {
    vault,
    api,
    setup,
    accounts,
    kube,
    clientCa,
    csr: csrPem,
    csrKey: privateKeyPem,
    version: health.version,
    isOpenBao: health.version.startsWith('2.'),
    async stop() {
      api.close()
      await kube.stop()
      await vault.stop()
    },
  }
}

export async function loginJwt(
  { api, accounts }: Contract,
  options: ServiceAccountTokenOptions = {},
  role = 'calico-node',
  mount = 'jwt',
): Promise<VaultAnswer> {
  return await api.call('POST', `auth/${mount}/login`, { role, jwt: accounts.token(options) })
}

/** The token of a node. */
export async function tokenOf(contract: Contract, node: string, role = 'calico-node', mount = 'jwt'): Promise<string> {
  return readToken(await loginJwt(contract, { node }, role, mount))
}

export function readToken(answer: VaultAnswer): string {
  expect(answer).toMatchObject({ status: 200 })
  return answer.body.auth?.client_token ?? ''
}

export async function sign(
  { api, csr }: Contract,
  token: string,
  commonName: string,
  parameters: object = {},
  role = 'pki/sign/calico-node',
): Promise<VaultAnswer> {
  const body = { csr, common_name: commonName, exclude_cn_from_sans: true, ...parameters }
  return await api.call('POST', role, body, { token })
}

export interface Expected {
  readonly status: number | readonly number[]
  /** The only error; a text is the whole of it. Absent: there are none. */
  readonly error?: string | RegExp
}

/** What a case is about: compare it with `wanted`. */
export function outcome({ status, body }: VaultAnswer): object {
  return { status, errors: body.errors }
}

export function wanted({ status, error }: Expected): object {
  return {
    status: typeof status === 'number' ? status : (expect.toBeOneOf([...status]) as number),
    errors:
      error === undefined ? undefined : [typeof error === 'string' ? error : (expect.stringMatching(error) as string)],
  }
}

/** A refusal by policy, as against one for want of a token. */
export const policyDenied = { status: 403, error: '1 error occurred:\n\t* permission denied\n\n' } as const
/** Vault 1.21 says twice why. */
export const tokenDenied = {
  status: 403,
  error: /^(permission denied|2 errors occurred:\n\t\* permission denied\n\t\* invalid token\n\n)$/,
} as const

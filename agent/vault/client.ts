/** Owns the calls of Vault's API that the agent makes: node-vault's `read` and `write` over our transport, typed answers out. */
import type { X509Certificate } from 'node:crypto'
import nodeVault from 'node-vault'
import { AgentError, messageOf } from '../core/errors.ts'
import { revealed, type Secret } from '../core/secret.ts'
import { parseUsable } from '../pki/certificate.ts'
import {
  readIssuer,
  readIssuerIds,
  readSecretData,
  readSigned,
  readToken,
  readTokenLookup,
  type SecretData,
  type SignedCertificate,
  type Token,
} from './answers.ts'
import type { LoginFields } from './credentials.ts'
import type { Transport, VaultRequest } from './transport.ts'
import type { Operation } from './vault-event.ts'

/** Headers that prove who a request is from: a token, or inline (OpenBao). Secrets are revealed only into the request itself. */
export type Credentials = Readonly<Record<string, string | Secret>>

export interface SignRequest {
  readonly mount: string
  readonly role: string
  readonly commonName: string
  readonly csr: string
  readonly ttlSeconds: number
}

export interface SecretRequest {
  readonly mount: string
  readonly path: string
  /** Version of the KV engine. */
  readonly engine: 1 | 2
}

/** What a secret holds, and where that was read. */
export interface FoundSecret extends SecretData {
  readonly path: string
}

export interface MountIssuers {
  /** By id. */
  readonly certificates: ReadonlyMap<string, X509Certificate>
  /** What is wrong with the certificates of the others, by their path. */
  readonly unusable: readonly string[]
}

/** Every call throws AgentError. */
export interface VaultApi {
  login(mount: string, parameters: LoginFields): Promise<Token>
  sign(request: SignRequest, credentials: Credentials): Promise<SignedCertificate>
  /**
   * Brings `known`, the certificates of all issuers of a mount by id, in step with it; those that are in it are not read again.
   * @param hasTime asked before each of them: what is read until then stays known, and the next call goes on from there
   */
  issuers(mount: string, known: Map<string, X509Certificate>, hasTime: () => boolean): Promise<MountIssuers>
  readSecret(request: SecretRequest, credentials: Credentials): Promise<FoundSecret>
  lookupToken(token: Secret): Promise<Token>
  renewToken(token: Secret): Promise<Token>
}

export function tokenHeader(token: Secret): Credentials {
  return { 'X-Vault-Token': token }
}

/** Reads and writes at a path (without `/v1/`); the answer is the parsed body, undefined if it is empty. */
export interface VaultCalls {
  readonly get: (operation: Operation, path: string, headers?: Credentials) => Promise<unknown>
  readonly post: (operation: Operation, path: string, data: object, headers: Credentials) => Promise<unknown>
  readonly remove: (operation: Operation, path: string, headers: Credentials) => Promise<unknown>
}

export function createVaultCalls(transport: Transport, namespace: string | undefined): VaultCalls {
  const vault = nodeVault({
    // node-vault puts it before each path and needs one; the transport knows the addresses and takes only the path.
    endpoint: 'https://vault',
    // Its own debug output prints requests with their tokens.
    debug: () => {},
    // The seam under which node-vault expects the `request-promise` library: options in, full response out.
    'request-promise': { defaults: () => (options: Record<string, unknown>) => send(transport, options) },
  })
  // It falls back to VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX of the environment; here only the configuration counts.
  Object.assign(vault, { token: '', namespace: namespace ?? '', pathPrefix: '' })
  const optionsOf = (operation: Operation, headers: Credentials): object => ({ operation, headers: revealed(headers) })
  return {
    get: async (operation, path, headers = {}): Promise<unknown> =>
      await vault.read(path, optionsOf(operation, headers)),
    post: async (operation, path, data, headers): Promise<unknown> =>
      await vault.write(path, data, optionsOf(operation, headers)),
    remove: async (operation, path, headers): Promise<unknown> =>
      await vault.delete(path, optionsOf(operation, headers)),
  }
}

export function createVaultApi(transport: Transport, namespace: string | undefined): VaultApi {
  const { get, post } = createVaultCalls(transport, namespace)
  return {
    async login(mount, parameters) {
      const path = `auth/${mount}/login`
      return readToken(await post('login', path, revealed(parameters), {}), path)
    },
    async sign({ mount, role, commonName, csr, ttlSeconds }, credentials) {
      const path = `${mount}/sign/${role}`
      const data = { csr, common_name: commonName, ttl: `${ttlSeconds}s`, exclude_cn_from_sans: true }
      return readSigned(await post('sign', path, data, credentials), path)
    },
    async issuers(mount, known, hasTime) {
      // Node's HTTP parser has no LIST method; the query says the same.
      const list = `${mount}/issuers`
      const ids = readIssuerIds(await get('issuers', `${list}?list=true`), list)
      if (ids.length > mostIssuers) throw new AgentError('vault-answer-too-large', tooManyIssuers(list, ids.length))
      for (const id of known.keys()) if (!ids.includes(id)) known.delete(id)
      const unusable: string[] = []
      for (const id of ids) {
        if (known.has(id)) continue
        if (!hasTime())
          throw new AgentError('vault-timeout', `${list}: ${known.size} of ${ids.length} issuers are read`)
        const path = `${mount}/issuer/${id}/json`
        const certificate = parseIssuer(readIssuer(await get('issuer', path), path), path)
        if (typeof certificate === 'string') unusable.push(certificate)
        else known.set(id, certificate)
      }
      return { certificates: new Map(known), unusable }
    },
    async readSecret({ mount, path: name, engine }, credentials) {
      const path = engine === 2 ? `${mount}/data/${name}` : `${mount}/${name}`
      return { path, ...readSecretData(await get('secret', path, credentials), engine, path) }
    },
    async lookupToken(token) {
      const path = 'auth/token/lookup-self'
      return readTokenLookup(await get('token', path, tokenHeader(token)), token, path)
    },
    async renewToken(token) {
      const path = 'auth/token/renew-self'
      return readToken(await post('token', path, {}, tokenHeader(token)), path)
    },
  }
}

/** Each is a request and a kilobyte or two of `etcd-ca`, which every consumer reads. */
const mostIssuers = 500

function tooManyIssuers(list: string, count: number): string {
  return `${list}: ${count} issuers, more than ${mostIssuers} make no CA set; give etcd's clients a mount of their own`
}

/**
 * The certificate, or what is wrong with it: Vault keeps what Go can parse, which need not be of any use here.
 * @throws AgentError for an answer without a certificate
 */
function parseIssuer(pem: string, where: string): X509Certificate | string {
  try {
    const { certificates, unusable } = parseUsable(pem)
    return certificates[0] ?? `${where}: ${unusable[0] ?? ''}`
  } catch (cause) {
    throw new AgentError('vault-bad-answer', `${where}: ${messageOf(cause)}`, { cause })
  }
}

/** What node-vault hands to `request-promise`. */
async function send(transport: Transport, options: Record<string, unknown>): Promise<object> {
  const { uri, method, headers, json, operation } = options as {
    uri: string
    method: VaultRequest['method']
    headers: Record<string, string>
    json: unknown
    operation: Operation
  }
  const { pathname, search } = new URL(uri)
  const request = {
    operation,
    method,
    path: pathname + search,
    headers: { ...headers, 'X-Vault-Request': 'true' },
    json,
  }
  const { status, body } = await transport.request(request)
  return { statusCode: status, body, request: { path: pathname } }
}

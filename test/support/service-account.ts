/**
 * Owns service-account tokens as a kube-apiserver makes them: RS256, audience-bound, with the claims of a pod on a node. Promises
 * that the same name always has the same uid, and any deviation that a test asks for.
 */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'

export interface ServiceAccountTokenOptions {
  /** Default: kube-system. */
  readonly namespace?: string
  /** Default: calico-node. */
  readonly serviceAccount?: string
  /** Default: `{serviceAccount}-{node}`. */
  readonly pod?: string
  /** Default: node1. */
  readonly node?: string
  readonly nodeUid?: string
  /** Default: vault-calico. Always a list in the token, unless `hasTextAudience`. */
  readonly audience?: string | readonly string[]
  readonly hasTextAudience?: boolean
  readonly issuer?: string
  /** From now; negative is expired. Default: an hour. */
  readonly expiresInSeconds?: number
  /** Of `nbf` and `iat`, from now. Default: 0. */
  readonly startsInSeconds?: number
  /** Claims to leave out: `node` and `pod` of `kubernetes.io`, or any of the top level. */
  readonly omit?: readonly string[]
  /** Claims of the top level to add or replace. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Signature by another key than the issuer's. */
  readonly isForged?: boolean
  /** `none`: no signature at all. */
  readonly algorithm?: 'RS256' | 'none'
}

export interface ServiceAccountIssuer {
  /** The `iss` claim. */
  readonly issuer: string
  readonly publicKeyPem: string
  readonly publicKey: KeyObject
  readonly jwks: { readonly keys: readonly JsonWebKey[] }
  token(options?: ServiceAccountTokenOptions): string
}

export const apiAudience = 'https://kubernetes.default.svc'

export interface IssuerOptions {
  readonly issuer?: string
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

export function createServiceAccountIssuer(options: IssuerOptions = {}): ServiceAccountIssuer {
  const { issuer = apiAudience, now = Date.now } = options
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(keys.privateKey)
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const kid = createHash('sha256').update(publicKeyPem).digest('base64url')
  return {
    issuer,
    publicKeyPem,
    publicKey,
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', kid, alg: 'RS256' }] },
    token(wanted = {}) {
      const header = { alg: wanted.algorithm ?? 'RS256', kid }
      const claims = claimsOf({ issuer, ...wanted }, Math.floor(now() / 1000))
      const content = `${encode(header)}.${encode(claims)}`
      if (header.alg === 'none') return `${content}.`
      const key =
        wanted.isForged === true ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey : keys.privateKey
      return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`
    },
  }
}

/** The uid that every token here gives to this name. */
export function uidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}

function claimsOf(options: ServiceAccountTokenOptions, nowSeconds: number): object {
  const { namespace = 'kube-system', serviceAccount = 'calico-node', node = 'node1', omit = [] } = options
  const { pod = `${serviceAccount}-${node}`, nodeUid = uidOf(`node/${node}`), audience = 'vault-calico' } = options
  const startsAt = nowSeconds + (options.startsInSeconds ?? 0)
  const audiences = typeof audience === 'string' ? [audience] : audience
  const bound: Record<string, unknown> = {
    namespace,
    node: { name: node, uid: nodeUid },
    pod: { name: pod, uid: uidOf(`pod/${namespace}/${pod}`) },
    serviceaccount: { name: serviceAccount, uid: uidOf(`serviceaccount/${namespace}/${serviceAccount}`) },
  }
  const claims: Record<string, unknown> = {
    aud: options.hasTextAudience === true ? audiences[0] : audiences,
    exp: nowSeconds + (options.expiresInSeconds ?? 3600),
    iat: startsAt,
    iss: options.issuer,
    jti: randomUUID(),
    'kubernetes.io': Object.fromEntries(Object.entries(bound).filter(([name]) => !omit.includes(name))),
    nbf: startsAt,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    ...options.claims,
  }
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !omit.includes(name)))
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

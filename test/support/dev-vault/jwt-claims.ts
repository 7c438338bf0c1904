/**
 * Owns checking a JWT as Vault's auth methods do: signature by any of the known keys, then issuer, subject, audience and times, in
 * the order and with the words of hashicorp/cap.
 * @see https://github.com/hashicorp/cap/blob/v0.2.0/jwt/jwt.go
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { compactVerify, decodeJwt } from 'jose'
import { matchesGlob } from './policies.ts'

export type Claims = Readonly<Record<string, unknown>>

export interface Expectations {
  /** Empty: any. */
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  /** 0: 60 seconds; negative: none. */
  readonly clockSkewLeewaySeconds: number
  /** Only for tokens without the claim. 0: 150 seconds; negative: none. */
  readonly expirationLeewaySeconds: number
  readonly notBeforeLeewaySeconds: number
  readonly mayLackTimes: boolean
}

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA']

export function parsePublicKeys(pems: readonly string[]): KeyObject[] {
  return pems.map((pem) => createPublicKey(pem))
}

export function parseJwks(json: unknown): KeyObject[] {
  const { keys = [] } = json as { keys?: JsonWebKey[] }
  return keys.map((key) => createPublicKey({ key, format: 'jwk' }))
}

/** Throws an Error with cap's text. */
export async function verifySignature(jwt: string, keys: readonly KeyObject[]): Promise<Claims> {
  if (jwt.split('.').length !== 3) {
    throw new Error('error verifying token signature: square/go-jose: compact JWS format must have three parts')
  }
  for (const key of keys) {
    try {
      const { payload } = await compactVerify(jwt, key, { algorithms })
      return JSON.parse(Buffer.from(payload).toString()) as Claims
    } catch {
      // Another key may know it.
    }
  }
  throw new Error('error verifying token signature: no known key successfully validated the token signature')
}

export function readClaimsUnverified(jwt: string): Claims {
  try {
    return decodeJwt(jwt)
  } catch {
    throw new Error('error verifying token signature: square/go-jose: compact JWS format must have three parts')
  }
}

/** Throws an Error with cap's text. */
export function checkClaims(claims: Claims, expected: Expectations, nowMs: number): void {
  if (expected.issuer !== '' && claims.iss !== expected.issuer) throw new Error('invalid issuer (iss) claim')
  if (expected.subject !== '' && claims.sub !== expected.subject) throw new Error('invalid subject (sub) claim')
  const audiences = asList(claims.aud)
  if (expected.audiences.length > 0 && !expected.audiences.some((each) => audiences.includes(each))) {
    throw new Error('invalid audience (aud) claim: audience claim does not match any expected audience')
  }
  const [issuedAt, expiry, notBefore] = [claims.iat, claims.exp, claims.nbf].map((value) => Number(value ?? 0))
  checkTimes({ issuedAt: issuedAt ?? 0, expiry: expiry ?? 0, notBefore: notBefore ?? 0 }, expected, nowMs / 1000)
}

function checkTimes(
  times: { issuedAt: number; expiry: number; notBefore: number },
  expected: Expectations,
  nowSeconds: number,
): void {
  const { issuedAt } = times
  let { expiry, notBefore } = times
  if (issuedAt === 0 && expiry === 0 && notBefore === 0) {
    if (expected.mayLackTimes) return
    throw new Error('no issued at (iat), not before (nbf), or expiration time (exp) claims in token')
  }
  if (expiry === 0) expiry = Math.max(issuedAt, notBefore) + leeway(expected.expirationLeewaySeconds, 150)
  if (notBefore === 0) notBefore = issuedAt || expiry - leeway(expected.notBeforeLeewaySeconds, 150)
  const skew = leeway(expected.clockSkewLeewaySeconds, 60)
  if (nowSeconds + skew < notBefore) throw new Error('invalid not before (nbf) claim: token not yet valid')
  if (nowSeconds - skew > expiry) throw new Error('invalid expiration time (exp) claim: token is expired')
  if (nowSeconds + skew < issuedAt) throw new Error('invalid issued at (iat) claim: token issued in the future')
}

function leeway(seconds: number, fallback: number): number {
  return seconds === 0 ? fallback : Math.max(0, seconds)
}

/** A claim by name, or by JSON pointer (RFC 6901) when the name begins with a slash. */
export function getClaim(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return claims[name]
  let value: unknown = claims
  for (const part of name.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !(key in value)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** Throws an Error with the plugin's text when a bound claim is missing or different. */
export function checkBoundClaims(claims: Claims, bound: Claims, isGlob: boolean): void {
  for (const [name, wanted] of Object.entries(bound)) {
    const value = getClaim(claims, name)
    if (value === undefined || value === null) throw new Error(`claim "${name}" is missing`)
    const isMatch = (pattern: string, text: string): boolean => (isGlob ? matchesGlob(pattern, text) : pattern === text)
    if (!asList(wanted).some((pattern) => asList(value).some((text) => isMatch(pattern, text)))) {
      throw new Error(`claim "${name}" does not match any associated bound claim values`)
    }
  }
}

function asList(value: unknown): string[] {
  if (value === undefined || value === null) return []
  return (Array.isArray(value) ? value : [value]).map(String)
}

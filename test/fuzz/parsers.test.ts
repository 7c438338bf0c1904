/**
 * Every parser of the agent under hostile input: it answers, or throws the error that is meant for it; nothing else gets out, and
 * nothing that was changed passes the gate. 2,000 cases here, `npm run fuzz -- --cases 100000` for more.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../agent/config/config.ts'
import { variables } from '../../agent/config/variables.ts'
import { ConfigError } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import { type BundleText, parseBundle } from '../../agent/pki/bundle.ts'
import { parseCertificates } from '../../agent/pki/certificate.ts'
import { judge } from '../../agent/sidecar/gate/gate.ts'
import { openSecretDir } from '../../agent/sidecar/store/secret-dir.ts'
import { readIssuer, readIssuerIds, readSigned, readToken, readTokenLookup } from '../../agent/vault/answers.ts'
import { readClaims } from '../../agent/vault/credentials.ts'
import { translateAnswer } from '../../agent/vault/failure.ts'
import { createCa } from '../support/certificates.ts'
import { createServiceAccountIssuer } from '../support/service-account.ts'
import { tempDir } from '../support/temp-dir.ts'
import { smallest } from '../unit/config/environment.ts'
import { bundleOf } from '../unit/pki/parsed.ts'
import { attributes } from '../unit/sidecar/store/bundles.ts'
import { parameters, survives } from './cases.ts'
import { brokenJson, brokenPem, brokenText } from './mutations.ts'

let good: BundleText
let other: BundleText
let jwt: string

beforeAll(async () => {
  const ca = await createCa({ commonName: 'CA' })
  good = bundleOf(await ca.issue({ commonName: 'calico-node:node1' }), [ca]).text
  other = bundleOf(await ca.issue({ commonName: 'calico-node:node2' }), [ca]).text
  jwt = createServiceAccountIssuer().token()
})

/** Everything that Vault may be asked, and what it answers when all is well. */
const answers = {
  login: { auth: { client_token: 'hvs.x', lease_duration: 900, renewable: false, policies: ['a'] } },
  lookup: { data: { ttl: 3600, renewable: true } },
  issuers: { data: { keys: ['a-1', 'b-2'], key_info: { 'a-1': { issuer_name: 'root' } } } },
  issuer: { data: { certificate: 'PEM', ca_chain: ['PEM'] } },
  signed: { data: { certificate: 'PEM', ca_chain: ['PEM', 'PEM'], issuing_ca: 'PEM', serial_number: '01' } },
}

describe('answers of Vault', () => {
  test('logins, look-ups, issuers, signatures', () => {
    const readers: readonly [unknown, (body: unknown) => unknown][] = [
      [answers.login, (body) => readToken(body, 'there')],
      [answers.lookup, (body) => readTokenLookup(body, new Secret('x'), 'there')],
      [answers.issuers, (body) => readIssuerIds(body, 'there')],
      [answers.issuer, (body) => readIssuer(body, 'there')],
      [answers.signed, (body) => readSigned(body, 'there')],
    ]
    const cases = fc.constantFrom(...readers).chain(([sample, read]) => fc.tuple(brokenJson(sample), fc.constant(read)))
    fc.assert(
      fc.property(cases, ([body, read]) => survives(() => read(body))),
      parameters,
    )
  })

  test('refusals: a reason, one printable line, no secret', () => {
    const body = { errors: ['permission denied', 'token hvs.CAESIJlSecretSecretSecret is bad', jwtLike] }
    const headers = fc.record({
      'retry-after': brokenText(['120', 'Sat, 21 Nov 2026 05:00:00 GMT']),
      date: fc.string(),
    })
    const cases = fc.tuple(
      fc.integer({ min: 100, max: 599 }),
      headers,
      fc.oneof(brokenJson(body), brokenText(['<html>'])),
    )
    fc.assert(
      fc.property(cases, ([status, each, refusal]) => {
        const error = translateAnswer({ status, headers: each, body: refusal }, 'sign', 'POST there')
        expect(error.message).not.toMatch(/[\p{Cc}]|CAESIJlSecretSecretSecret|eyJhbGciOiJSUzI1NiJ9/u)
        expect(error.message.length).toBeLessThan(600)
        expect(error.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0)
      }),
      parameters,
    )
  })
})
const jwtLike = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'

describe('certificates and keys', () => {
  const broken = () => fc.oneof(brokenPem([good.certificate, good.ca]), brokenText([good.certificate, good.ca]))

  test('PEM and DER', () => {
    fc.assert(
      // It throws plain errors, which its callers translate.
      fc.property(broken(), (pem) =>
        survives(
          () => parseCertificates(pem),
          (error) => error instanceof Error,
        ),
      ),
      parameters,
    )
  })

  test('whatever is changed in a bundle, only the signed certificate with its own key passes the gate', () => {
    const part = (whole: string, ...more: string[]) =>
      fc.oneof(
        { weight: 3, arbitrary: fc.constant(whole) },
        fc.constantFrom(whole, ...more),
        brokenPem([whole]),
        brokenText([whole]),
      )
    const texts = fc.record({
      certificate: part(good.certificate, other.certificate),
      key: part(good.key.reveal(), other.key.reveal()).map((text) => new Secret(text)),
      ca: part(good.ca, good.certificate),
    })
    const { leaf, key } = parseBundle(good, 'good')
    let passed = 0
    const nowMs = Date.now()
    const clocks = { earliestMs: nowMs, latestMs: nowMs }
    const context = { nowMs, clocks, commonName: 'calico-node:node1', minLifetimeMs: 60_000, live: [] }
    fc.assert(
      fc.property(texts, (text) =>
        survives(() => {
          const bundle = parseBundle(text, 'there')
          if (judge(bundle, context) !== undefined) return
          passed++
          expect(bundle.leaf.fingerprint256).toBe(leaf.fingerprint256)
          expect(bundle.key.equals(key)).toBe(true)
        }),
      ),
      parameters,
    )
    // Not because nothing passes.
    expect(passed).toBeGreaterThan(0)
  })

  test('what stands on the disk', () => {
    const directory = tempDir()
    const names = ['etcd-cert', 'etcd-key', 'etcd-ca'] as const
    const content = fc.oneof(broken(), fc.constantFrom(good.key.reveal(), good.certificate), fc.string())
    fc.assert(
      fc.property(fc.tuple(content, content, content), (contents) => {
        for (const [index, name] of names.entries()) writeFileSync(join(directory, name), contents[index] ?? '')
        survives(() => openSecretDir(directory, attributes).current())
      }),
      parameters,
    )
  })
})

test('service-account tokens', () => {
  const claims = { exp: 1, 'kubernetes.io': { node: { name: 'a', uid: 'b' } } }
  const encoded = brokenJson(claims).map((each) => {
    const payload = Buffer.from(JSON.stringify(each) ?? '').toString('base64url')
    return `e30.${payload}.c2ln`
  })
  fc.assert(
    fc.property(fc.oneof(encoded, brokenText([jwt])), (text) => survives(() => readClaims(new Secret(text), 'file'))),
    parameters,
  )
})

test('the environment', () => {
  const names = fc.oneof(fc.constantFrom(...Object.keys(variables)), brokenText(Object.keys(variables)))
  const values = brokenText([
    '24h',
    '0400',
    'https://vault:8200',
    '{component}:{node}',
    'a=/b,c=/d',
    '0.0.0.0:9879',
    'jwt',
  ])
  const environments = fc.array(fc.tuple(names, values), { maxLength: 6 })
  fc.assert(
    fc.property(environments, (entries) =>
      survives(
        () => parseConfig({ ...smallest, ...Object.fromEntries(entries) }, 'host'),
        (error) => error instanceof ConfigError,
      ),
    ),
    parameters,
  )
})

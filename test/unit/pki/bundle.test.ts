import { createPrivateKey } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { type BundleText, parseBundle } from '../../../agent/pki/bundle.ts'
import { createCa, createKeyPair, type TestCa, type TestCertificate } from '../../support/certificates.ts'
import { withDamagedDate, withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { bundleOf } from './parsed.ts'

let ca: TestCa
let intermediate: TestCa
let leaf: TestCertificate
let good: BundleText

beforeAll(async () => {
  ca = await createCa({ commonName: 'Root' })
  intermediate = await createCa({ commonName: 'Intermediate', issuer: ca })
  leaf = await intermediate.issue({ commonName: 'calico-node:node1' })
  good = bundleOf(leaf, [ca], [intermediate]).text
})

function failure(changes: Partial<BundleText>): AgentError {
  try {
    parseBundle({ ...good, ...changes }, '/calico-secrets')
  } catch (error) {
    if (error instanceof AgentError) return error
    throw error
  }
  throw new Error('it was parsed')
}

test('a bundle is written and read again: leaf first, then its intermediates', () => {
  expect(good).toEqual({
    certificate: leaf.certificatePem + intermediate.certificatePem,
    key: new Secret(leaf.privateKeyPem),
    ca: ca.certificatePem,
  })
  const bundle = parseBundle(good, '/calico-secrets')
  expect(bundle.leaf.subject).toBe('CN=calico-node:node1')
  expect(bundle.intermediates.map(({ subject }) => subject)).toEqual(['CN=Intermediate'])
  expect(bundle.ca.map(({ subject }) => subject)).toEqual(['CN=Root'])
  expect(bundle.leaf.checkPrivateKey(bundle.key)).toBe(true)
  expect(bundle.text).toBe(good)
})

test('a key in the older format is read too', () => {
  const sec1 = createPrivateKey(leaf.privateKeyPem).export({ type: 'sec1', format: 'pem' }).toString()
  expect(parseBundle({ ...good, key: new Secret(sec1) }, '').key.asymmetricKeyType).toBe('ec')
})

describe('a CA certificate that cannot be used', () => {
  test.each([
    ['a point off its curve', withDamagedKey],
    ['an unknown algorithm', withUnknownAlgorithm],
    ['no date', withDamagedDate],
  ])('with %s is left out, and named', (_what, damage) => {
    const {
      ca: kept,
      text,
      unusableCa,
    } = parseBundle({ ...good, ca: damage(intermediate.certificatePem) + good.ca }, '/d')
    expect(kept.map(({ subject }) => subject)).toEqual(['CN=Root'])
    expect(text.ca).toBe(good.ca)
    expect(unusableCa).toEqual([
      expect.stringMatching(/^\/d: etcd-ca: PEM certificate 1: its .* cannot be .*\(CN=Intermediate\)$/),
    ])
  })

  test('is malformed if it is the only one', () => {
    const error = failure({ ca: withDamagedKey(good.ca) })
    expect(error.code).toBe('malformed')
    expect(error.message).toMatch(/^\/calico-secrets: etcd-ca: PEM certificate 1: .*\(CN=Root\)$/)
  })

  test.each([withDamagedKey, withUnknownAlgorithm, withDamagedDate])(
    'is malformed as the leaf or beside it: %o',
    (damage) => {
      for (const certificate of [
        damage(leaf.certificatePem) + intermediate.certificatePem,
        leaf.certificatePem + damage(intermediate.certificatePem),
      ]) {
        expect(failure({ certificate })).toMatchObject({
          code: 'malformed',
          message: expect.stringMatching(/etcd-cert: PEM certificate [12]: its /),
        })
      }
    },
  )
})

describe('what cannot be parsed is malformed, with the place and the file in one message', () => {
  const tenMegabytes = 'x'.repeat(10 * 1024 * 1024)

  test.each([
    ['garbage', '\0ÿgarbage', 'there is no PEM certificate in it'],
    ['nothing', '', 'there is no PEM certificate in it'],
    ['10 MB', tenMegabytes, '10485760 bytes are too many for certificates'],
  ])('%s', (_what, text, message) => {
    expect(failure({ certificate: text })).toMatchObject({
      code: 'malformed',
      message: `/calico-secrets: etcd-cert: ${message}`,
    })
    expect(failure({ ca: text })).toMatchObject({ code: 'malformed', message: `/calico-secrets: etcd-ca: ${message}` })
    expect(failure({ key: new Secret(text) })).toMatchObject({
      code: 'malformed',
      message: '/calico-secrets: etcd-key: there is no PEM private key in it',
    })
  })

  test('a cut-off file', () => {
    expect(failure({ certificate: good.certificate.slice(0, -30) }).message).toMatch(/etcd-cert: .*2 has no end/)
    expect(failure({ ca: good.ca.slice(0, -100) }).message).toMatch(/etcd-ca: .*1 has no end/)
    expect(failure({ key: new Secret(good.key.reveal().slice(0, 100)) }).message).toMatch(/etcd-key: /)
  })

  test('a mark that does not stand on a line of its own, which Go passes over', () => {
    const glued = (pem: string): string => pem.trim() + pem
    const message = /^\/calico-secrets: etcd-(cert|ca): a PEM mark does not stand on a line of its own$/
    expect(failure({ certificate: glued(leaf.certificatePem) }).message).toMatch(message)
    expect(failure({ ca: ` ${good.ca}` }).message).toMatch(message)
    expect(failure({ ca: good.ca.trim() + glued(good.ca) }).message).toMatch(message)
    expect(() => parseBundle({ ...good, ca: good.ca.replaceAll('\n', '\r\n') }, '')).not.toThrow()
    expect(() => parseBundle({ ...good, ca: `Subject: CN=x\n${good.ca.trim()}` }, '')).not.toThrow()
  })

  test('certificate and key exchanged', () => {
    expect(failure({ certificate: good.key.reveal() }).message).toMatch(/etcd-cert: there is no PEM certificate/)
    expect(failure({ key: new Secret(good.certificate) }).message).toMatch(/etcd-key: /)
  })

  test('and no message holds a byte of the key', async () => {
    const { privateKeyPem } = await createKeyPair()
    const lines = privateKeyPem.split('\n').filter((line) => line.length > 30)
    const { message, cause } = failure({ key: new Secret(privateKeyPem.replace(/.{4}\n-----END/, '\n-----END')) })
    for (const line of lines) expect(`${message} ${String(cause)}`).not.toContain(line.slice(0, 20))
  })
})

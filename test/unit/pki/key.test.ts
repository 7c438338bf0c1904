import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../../agent/core/secret.ts'
import { exportKey, generateKey, isKeyPair, parseKey } from '../../../agent/pki/key.ts'
import { withDamagedSecret } from '../../support/damaged.ts'

describe.each([
  ['ec-p256', 'ec', { namedCurve: 'prime256v1' }],
  ['ec-p384', 'ec', { namedCurve: 'secp384r1' }],
  ['rsa-2048', 'rsa', { modulusLength: 2048 }],
  ['rsa-4096', 'rsa', { modulusLength: 4096 }],
  ['ed25519', 'ed25519', {}],
] as const)('%s', (type, algorithm, details) => {
  test('makes a private key that survives export and parsing', async () => {
    const key = await generateKey(type)
    expect(key).toMatchObject({ type: 'private', asymmetricKeyType: algorithm, asymmetricKeyDetails: details })
    const pem = exportKey(key)
    expect(pem.reveal()).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]+\n-----END PRIVATE KEY-----\n$/)
    const digest = type === 'ed25519' ? null : 'sha256'
    const signature = sign(digest, Buffer.from('text'), parseKey(pem))
    expect(verify(digest, Buffer.from('text'), createPublicKey(key), signature)).toBe(true)
  })
})

test('no two keys are the same', async () => {
  const [one, other] = await Promise.all([generateKey('ec-p256'), generateKey('ec-p256')])
  expect(exportKey(one).reveal()).not.toBe(exportKey(other).reveal())
})

test('an exported key is never printed', async () => {
  expect(JSON.stringify({ key: exportKey(await generateKey('ed25519')) })).toBe('{"key":"[redacted]"}')
})

test.each(['', 'garbage', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])('%j is no key', (text) => {
  expect(() => parseKey(new Secret(text))).toThrow('there is no PEM private key in it')
})

test('a damaged key is refused, a public or an encrypted one too', async () => {
  const key = await generateKey('ec-p256')
  const damaged = exportKey(key)
    .reveal()
    .replace(/\n.{8}/, '\nAAAAAAAA')
  expect(() => parseKey(new Secret(damaged))).toThrow(/DECODER|asn1/i)
  const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' })
  expect(() => parseKey(new Secret(publicPem.toString()))).toThrow('there is no PEM private key in it')
  for (const type of ['pkcs8', 'sec1'] as const) {
    const encrypted = key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
    expect(() => parseKey(new Secret(encrypted))).toThrow('the private key is encrypted')
  }
})

describe('a pair', () => {
  test.each(['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519'] as const)(
    'of type %s is one, with another key it is none',
    async (type) => {
      const [one, other] = await Promise.all([generateKey(type), generateKey(type)])
      expect(isKeyPair(one, createPublicKey(one))).toBe(true)
      expect(isKeyPair(one, createPublicKey(other))).toBe(false)
      expect(isKeyPair(one, createPublicKey(await generateKey(type === 'ed25519' ? 'ec-p256' : 'ed25519')))).toBe(false)
    },
  )

  test('whose secret half is damaged is none, although its public half is the right one', async () => {
    const key = await generateKey('ec-p256')
    const damaged = parseKey(new Secret(withDamagedSecret(exportKey(key).reveal())))
    expect(createPublicKey(damaged).equals(createPublicKey(key))).toBe(true)
    expect(isKeyPair(damaged, createPublicKey(key))).toBe(false)
  })

  test('of which one signs nothing (X25519) is none', () => {
    const { privateKey, publicKey } = generateKeyPairSync('x25519')
    expect(isKeyPair(privateKey, publicKey)).toBe(false)
  })
})

/** The common name against what is known of Go's crypto/x509, by which etcd reads it, and against OpenSSL's reading by Node. */
import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { commonNameOfDer } from '../../../agent/pki/subject-name.ts'
import { createKeyPair } from '../../support/certificates.ts'
import { withFlippedBit } from '../../support/damaged.ts'
import { objectId, sequence, set, tagged, utf8String } from '../../support/der.ts'
import { basicConstraints, nameOf, signCertificate } from '../../support/x509.ts'

const keys = await createKeyPair()
const commonNameId = objectId('2.5.4.3')
const organizationId = objectId('2.5.4.10')

/** DER, whatever OpenSSL would say of it. */
function certificate(subject: Buffer): Buffer {
  const fields = { subject, issuer: nameOf('issuer'), publicKeyDer: keys.publicKeyDer }
  const dates = { notBefore: new Date(0), notAfter: new Date(1e12) }
  return derOf(signCertificate({ ...fields, ...dates, extensions: [basicConstraints(false)] }, keys).certificatePem)
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
}

const read = (subject: Buffer): string | undefined => commonNameOfDer(certificate(subject))
const attribute = (id: Buffer, value: Buffer): Buffer => sequence(id, value)
const text = (tag: number, ...bytes: number[]): Buffer => tagged(tag, Buffer.from(bytes))
const named = (value: Buffer): Buffer => sequence(set(attribute(commonNameId, value)))

/** Go reads each type as parseASN1String does, and refuses a certificate with any other. */
describe('a value of type', () => {
  test.each<[string, Buffer, string | undefined]>([
    ['UTF8String', text(0x0c, 0xc3, 0xb6), 'ö'],
    ['UTF8String with a byte order mark, which is a character', text(0x0c, 0xef, 0xbb, 0xbf, 0x61), '\ufeffa'],
    ['UTF8String that is none', text(0x0c, 0xc3), undefined],
    ['UTF8String with a surrogate', text(0x0c, 0xed, 0xa0, 0x80), undefined],
    ['PrintableString', text(0x13, 0x61, 0x3a, 0x2e), 'a:.'],
    ['PrintableString with * and &, which CAs use', text(0x13, 0x2a, 0x26), '*&'],
    ['PrintableString with _', text(0x13, 0x5f), undefined],
    ['IA5String', text(0x16, 0x5f, 0x0a), '_\n'],
    ['IA5String beyond ASCII', text(0x16, 0xe9), undefined],
    ['NumericString', text(0x12, 0x30, 0x20), '0 '],
    ['NumericString with a letter', text(0x12, 0x61), undefined],
    ['T61String', text(0x14, 0x61, 0xf6), 'aö'],
    ['BMPString', text(0x1e, 0x00, 0x61, 0x20, 0xac), 'a€'],
    ['BMPString of half a character', text(0x1e, 0x00, 0x61, 0x20), undefined],
    ['BMPString with surrogates', text(0x1e, 0xd8, 0x3d, 0xde, 0x00), undefined],
    ['BMPString with what is no character', text(0x1e, 0xff, 0xff), undefined],
    ['UniversalString', text(0x1c, 0x00, 0x00, 0x00, 0x61), undefined],
    ['INTEGER', text(0x02, 0x01), undefined],
    ['UTF8String, empty', text(0x0c), ''],
  ])('%s', (_name, value, expected) => {
    expect(read(named(value))).toBe(expected)
  })
})

describe('of several', () => {
  const one = attribute(commonNameId, utf8String('one'))
  const other = attribute(commonNameId, utf8String('other'))
  const organization = attribute(organizationId, utf8String('CN=other'))

  test.each<[string, Buffer, string | undefined]>([
    ['names in a row: etcd would take the last, others the first', sequence(set(one), set(other)), undefined],
    ['values of one name', sequence(set(one, other)), undefined],
    ['attributes, the common name alone counts', sequence(set(organization), set(one)), 'one'],
    ['attributes in one name', sequence(set(one, organization)), 'one'],
    ['attributes without a common name', sequence(set(organization)), undefined],
    ['no attributes at all', sequence(), undefined],
  ])('%s', (_name, subject, expected) => {
    expect(read(subject)).toBe(expected)
  })
})

test('any text is read as OpenSSL reads it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (name) => {
      const der = certificate(nameOf(name))
      expect(commonNameOfDer(der)).toBe(name)
      expect(new X509Certificate(der).toLegacyObject().subject?.CN).toBe(name)
    }),
    { numRuns: 100 },
  )
})

test('whatever bit is turned over, it answers', () => {
  const der = certificate(nameOf('calico-node:node1'))
  let changed = 0
  for (let bit = 0; bit < der.length * 8; bit++) {
    if (commonNameOfDer(derOf(withFlippedBit(der, bit))) !== 'calico-node:node1') changed++
  }
  expect(changed).toBeGreaterThan(100)
})

test.each([0, 1, 2, 40])('the first %i bytes of a certificate have no name', (length) => {
  expect(commonNameOfDer(certificate(nameOf('a')).subarray(0, length))).toBeUndefined()
})

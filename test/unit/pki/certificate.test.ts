// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 finds it in the global scope
import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Name, X509CertificateGenerator } from '@peculiar/x509'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  commonName,
  isClientCertificate,
  isIssuedBy,
  isValidAt,
  parseCertificates,
  toPem,
  validityOf,
} from '../../../agent/pki/certificate.ts'
import { createCa, createKeyPair, type KeyPair, type TestCa } from '../../support/certificates.ts'
import { nameOf, signCertificate } from '../../support/x509.ts'
import { x509 } from './parsed.ts'

let ca: TestCa
let other: TestCa
let keys: KeyPair

beforeAll(async () => {
  ca = await createCa({ commonName: 'One' })
  other = await createCa({ commonName: 'Other' })
  keys = await createKeyPair()
})

describe('PEM', () => {
  test('gives every certificate in its order, whatever stands around them', () => {
    const text = `# CA of Vault\r\n${ca.certificatePem}${ca.privateKeyPem}noise ${other.certificatePem.trimEnd()}`
    expect(parseCertificates(text).map(({ subject }) => subject)).toEqual(['CN=One', 'CN=Other'])
  })

  test('may have the line ends of Windows', () => {
    expect(parseCertificates(ca.certificatePem.replaceAll('\n', '\r\n'))).toHaveLength(1)
  })

  test.each(['', 'garbage', '\0\0', '-----END CERTIFICATE-----'])('%j holds none', (text) => {
    expect(() => parseCertificates(text)).toThrow('there is no PEM certificate in it')
  })

  test('with a private key alone holds none', () => {
    expect(() => parseCertificates(ca.privateKeyPem)).toThrow('there is no PEM certificate in it')
  })

  test('that is cut off anywhere in its second certificate is refused as a whole', () => {
    const text = ca.certificatePem + other.certificatePem.trimEnd()
    const whole = ca.certificatePem.length + '-----BEGIN CERTIFICATE-----'.length
    fc.assert(
      fc.property(fc.integer({ min: whole, max: text.length - 1 }), (length) => {
        expect(() => parseCertificates(text.slice(0, length))).toThrow('PEM certificate 2 has no end')
      }),
    )
  })

  test('of which the first one has lost its end is refused', () => {
    const cut = ca.certificatePem.slice(0, -40)
    expect(() => parseCertificates(`${cut}\n${other.certificatePem}`)).toThrow(/PEM|asn1|ASN1/i)
  })

  test('with garbage between its lines is refused', () => {
    const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    expect(() => parseCertificates(ca.certificatePem + garbage)).toThrow(/asn1|PEM/i)
  })

  test('of more than 1 MiB is refused before it is parsed', () => {
    const tenMegabytes = ca.certificatePem.padEnd(10 * 1024 * 1024, '\n')
    expect(() => parseCertificates(tenMegabytes)).toThrow('10485760 bytes are too many for certificates')
  })

  test('of a million beginnings without an end costs no more than one look', () => {
    // A regular expression with a lazy middle took a quarter of a minute for it.
    const text = '-----BEGIN CERTIFICATE-----\n'.repeat(37_000)
    expect(() => parseCertificates(text)).toThrow('PEM certificate 1 has no end')
  })

  test('is written with one newline after each certificate', () => {
    const certificates = [x509(ca), x509(other)]
    expect(toPem(certificates)).toBe(ca.certificatePem + other.certificatePem)
    expect(toPem([])).toBe('')
  })
})

describe('the common name', () => {
  async function named(...parts: ConstructorParameters<typeof Name>): Promise<X509Certificate> {
    const name = new Name(...parts)
    const certificate = await X509CertificateGenerator.create({
      subject: name,
      issuer: name,
      publicKey: keys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    })
    return new X509Certificate(certificate.toString('pem'))
  }

  test.each([
    'calico-node:node1',
    'Calico-Node:NODE1',
    ' a  b ',
    'a=b,c+d/e',
    'größe:日本',
    'a"b\\c\n',
    'n'.repeat(65),
    'x'.repeat(500),
    'calico-node:node1\0.evil',
  ])('%j is read byte for byte', async (name) => {
    expect(commonName(await named([{ CN: [{ utf8String: name }] }]))).toBe(name)
  })

  test('is read from other string types, and between other attributes', async () => {
    expect(commonName(await named([{ CN: [{ printableString: 'node1' }] }]))).toBe('node1')
    expect(commonName(await named([{ CN: [{ bmpString: 'größe' }] }]))).toBe('größe')
    expect(commonName(await named([{ O: ['CN=evil'] }, { CN: ['node1'] }, { OU: ['x'] }]))).toBe('node1')
  })

  test('is none where there is none, or more than one', async () => {
    expect(commonName(await named([]))).toBeUndefined()
    expect(commonName(await named([{ O: ['calico'] }]))).toBeUndefined()
    expect(commonName(await named([{ CN: ['a'] }, { CN: ['b'] }]))).toBeUndefined()
    expect(commonName(await named([{ CN: ['a', 'a'] }]))).toBeUndefined()
  })

  test('of any text is that text', async () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
    await fc.assert(
      fc.asyncProperty(text, async (name) => {
        expect(commonName(await named([{ CN: [{ utf8String: name }] }]))).toBe(name)
      }),
      { numRuns: 50 },
    )
  })
})

describe('purpose', () => {
  test.each([
    [{ client: true }, true],
    [{ client: true, server: true }, true],
    [{ server: true }, false],
    [{ client: false, server: false }, false],
  ])('%j: for a TLS client is %s', async (options, isClient) => {
    expect(isClientCertificate(x509(await ca.issue(options)))).toBe(isClient)
  })
})

describe('validity', () => {
  test('begins with its first millisecond and ends before its last', async () => {
    const notBefore = new Date('2026-01-01T00:00:00Z')
    const notAfter = new Date('2026-01-02T00:00:00Z')
    const leaf = x509(await ca.issue({ notBefore, notAfter }))
    expect(validityOf(leaf)).toEqual({ notBeforeMs: notBefore.getTime(), notAfterMs: notAfter.getTime() })
    const isValid = (ms: number): boolean => isValidAt(leaf, ms)
    expect([-1, 0].map((ms) => isValid(notBefore.getTime() + ms))).toEqual([false, true])
    expect([-1, 0].map((ms) => isValid(notAfter.getTime() + ms))).toEqual([true, false])
  })

  test('may go beyond 2050, where X.509 writes dates in another way', async () => {
    const notAfter = new Date('2061-05-06T07:08:09Z')
    expect(validityOf(x509(await ca.issue({ notAfter }))).notAfterMs).toBe(notAfter.getTime())
  })
})

describe('the issuer', () => {
  test('is the one that signed', async () => {
    const leaf = x509(await ca.issue())
    expect(isIssuedBy(leaf, x509(ca))).toBe(true)
    expect(isIssuedBy(leaf, x509(other))).toBe(false)
  })

  test('is not another one of the same name', async () => {
    const namesake = await createCa({ commonName: 'One' })
    expect(isIssuedBy(x509(await ca.issue()), x509(namesake))).toBe(false)
  })

  test('is not one that is no authority, be it forbidden to sign or only not allowed to', async () => {
    const imposter = await createCa({ commonName: 'Imposter', isCa: false, issuer: ca })
    expect(isIssuedBy(x509(await imposter.issue()), x509(imposter))).toBe(false)
    // Neither basic constraints nor key usage: only the first say who is an authority.
    const { publicKeyDer } = imposter.keys
    const dates = { notBefore: new Date(0), notAfter: imposter.notAfter }
    const names = { subject: nameOf('Imposter'), issuer: nameOf('One') }
    const silent = signCertificate({ ...names, publicKeyDer, ...dates, extensions: [] }, ca.keys)
    expect(isIssuedBy(x509(await imposter.issue()), x509(silent))).toBe(false)
  })

  test('is nobody where the signature does not fit', async () => {
    const der = Buffer.from(x509(await ca.issue()).raw)
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1)
    expect(isIssuedBy(new X509Certificate(der), x509(ca))).toBe(false)
  })

  test('may have a new certificate for the same key', async () => {
    const renewed = await createCa({ commonName: 'One', sameKeyAs: ca })
    expect(isIssuedBy(x509(await ca.issue()), x509(renewed))).toBe(true)
  })
})

test('certificates are made of bytes in one place, and nowhere is their key asked for by a way that ends the process', () => {
  const files = readdirSync('agent', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const texts = files.map(
    (file) => [file, readFileSync(join('agent', file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')] as const,
  )
  const having = (pattern: RegExp): string[] => texts.flatMap(([file, text]) => (pattern.test(text) ? [file] : []))
  expect(having(/new X509Certificate\(/)).toEqual(['pki/certificate.ts'])
  expect(having(/toLegacyObject|getPeerCertificate\b/)).toEqual([])
})

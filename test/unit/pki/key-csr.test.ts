// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 finds it in the global scope
import 'reflect-metadata'
import { execFileSync, spawnSync } from 'node:child_process'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import { beforeAll, describe, expect, test } from 'vitest'
import { createCsr, generateKey, type KeyType } from '../../../agent/pki/key.ts'

const keyTypes: readonly KeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096', 'ed25519']
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe.each(keyTypes)('a request for a key of type %s', (type) => {
  let key: KeyObject
  let csr: string

  beforeAll(async () => {
    key = await generateKey(type)
    csr = createCsr(key)
  })

  test('is signed by the key that it names', async () => {
    const request = new Pkcs10CertificateRequest(csr)
    expect(await request.verify()).toBe(true)
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
    expect(Buffer.from(request.publicKey.rawData).equals(spki)).toBe(true)
  })

  test('has an empty subject, no attributes and no extensions', () => {
    const { subject, attributes, extensions } = new Pkcs10CertificateRequest(csr)
    expect({ subject, attributes, extensions }).toEqual({ subject: '', attributes: [], extensions: [] })
  })

  test('does not hold the private key', () => {
    const der = Buffer.from(new Pkcs10CertificateRequest(csr).rawData).toString('hex')
    const secret = key.export({ format: 'jwk' }).d ?? ''
    expect(secret.length).toBeGreaterThan(40)
    expect(der).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
  })

  test('is PEM in lines of 64 characters with one newline at its end', () => {
    const lines = csr.split('\n')
    expect(lines[0]).toBe('-----BEGIN CERTIFICATE REQUEST-----')
    expect(lines.slice(-2)).toEqual(['-----END CERTIFICATE REQUEST-----', ''])
    for (const line of lines.slice(1, -3)) expect(line).toMatch(/^[A-Za-z0-9+/]{64}$/)
  })

  test.runIf(hasOpenssl)('is accepted by openssl, byte for byte', () => {
    const options = { input: csr, encoding: 'utf8', stdio: 'pipe' } as const
    expect(spawnSync('openssl', ['req', '-verify', '-noout'], options)).toMatchObject({ status: 0 })
    const text = execFileSync('openssl', ['req', '-noout', '-text'], options)
    expect(text).toMatch(/Subject:\s*\n/)
    expect(text).toMatch(/Attributes:\s*\(none\)/)
    expect(execFileSync('openssl', ['req'], options)).toBe(csr)
  })
})

test('a request of which one bit is changed does not verify', async () => {
  const der = Buffer.from(new Pkcs10CertificateRequest(createCsr(await generateKey('ec-p256'))).rawData)
  const last = der.length - 1
  der.writeUInt8(der.readUInt8(last) ^ 1, last)
  expect(await new Pkcs10CertificateRequest(der).verify()).toBe(false)
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeEach, expect, test } from 'vitest'
import type { VaultAddress } from '../../../agent/config/vault.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { readTlsMaterial } from '../../../agent/vault/tls-files.ts'
import { createCa } from '../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { tempDir } from '../../support/temp-dir.ts'

const ca = await createCa()
const client = await ca.issue({ commonName: 'client' })
const other = await ca.issue({ commonName: 'other' })
let address: VaultAddress

beforeEach(() => {
  const path = tempDir()
  address = {
    origins: ['https://127.0.0.1:8200'],
    namespace: undefined,
    caFile: join(path, 'ca'),
    caPem: undefined,
    clientCertFile: join(path, 'cert'),
    clientKeyFile: join(path, 'key'),
    serverName: 'vault.example.org',
    timeoutMs: 1000,
    redirects: true,
    caDirectory: undefined,
    proxies: undefined,
  }
  writeFileSync(join(path, 'ca'), ca.certificatePem)
  writeFileSync(join(path, 'cert'), client.certificatePem)
  writeFileSync(join(path, 'key'), client.privateKeyPem)
})

function refusal(): string {
  try {
    readTlsMaterial(address)
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'file-invalid') throw error
    if (inspect(error, { depth: Infinity }).includes('CANARY')) throw new Error('a secret has leaked', { cause: error })
    return error.message
  }
  throw new Error('it was accepted')
}

test('good files are handed over as they are', () => {
  expect(readTlsMaterial(address)).toEqual({
    ca: ca.certificatePem,
    cert: client.certificatePem,
    key: client.privateKeyPem,
    servername: 'vault.example.org',
  })
})

test('VAULT_CACERT_BYTES wins over the file', () => {
  const { ca: used } = readTlsMaterial({ ...address, caPem: client.certificatePem })
  expect(used).toBe(client.certificatePem)
})

test('nothing is configured', () => {
  const nothing = { caFile: undefined, clientCertFile: undefined, clientKeyFile: undefined, serverName: undefined }
  expect(readTlsMaterial({ ...address, ...nothing })).toEqual({
    ca: undefined,
    cert: undefined,
    key: undefined,
    servername: undefined,
  })
})

test.each([
  ['VAULT_CACERT', 'caFile'],
  ['VAULT_CLIENT_CERT', 'clientCertFile'],
  ['VAULT_CLIENT_KEY', 'clientKeyFile'],
] as const)('%s: missing, a directory, empty, garbage, too large', (variable, field) => {
  const file = address[field] ?? ''
  const pattern = (rest: string): RegExp => new RegExp(`^${variable}: .*${rest}`)
  for (const content of ['', 'CANARY', '-----BEGIN CERTIFICATE-----\nCANARY\n-----END CERTIFICATE-----\n']) {
    writeFileSync(file, content)
    expect(refusal()).toMatch(pattern(''))
  }
  writeFileSync(file, 'CANARY'.repeat(200_000))
  expect(refusal()).toMatch(pattern('1200000 bytes'))
  address = { ...address, [field]: `${file}-missing` }
  expect(refusal()).toMatch(pattern('ENOENT'))
  mkdirSync(`${file}-missing`)
  expect(refusal()).toMatch(pattern('is not a regular file'))
})

test('a key of another certificate', () => {
  writeFileSync(address.clientKeyFile ?? '', other.privateKeyPem)
  expect(refusal()).toBe('VAULT_CLIENT_KEY: the key is not the one of VAULT_CLIENT_CERT')
})

test.each([withDamagedKey, withUnknownAlgorithm])(
  'a certificate whose key cannot be decoded is refused by name: %o',
  (damage) => {
    writeFileSync(address.clientCertFile ?? '', damage(client.certificatePem))
    expect(refusal()).toMatch(
      /^VAULT_CLIENT_CERT: PEM certificate 1: its public key cannot be decoded: .*\(CN=client\)$/,
    )
    writeFileSync(address.caFile ?? '', ca.certificatePem + damage(ca.certificatePem))
    expect(refusal()).toMatch(/^VAULT_CACERT: PEM certificate 2: its public key cannot be decoded: .*\(CN=.*\)$/)
  },
)

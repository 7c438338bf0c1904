/** Owns the contract of CA reads, issuer rotation, intermediates and revocation. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKeyPair } from '../../support/certificates.ts'
import { readDer } from '../../support/der.ts'
import type { VaultApi, VaultBody } from '../../support/vault-api.ts'
import { type Contract, type Contracted, outcome, sign, tokenDenied, tokenOf, wanted } from './contract.ts'

const own = 'calico-node:node1'

export function issuerCases(contract: Contracted): void {
  test('issuers are listed and read without a token', async () => {
    const { api, setup } = contract()
    const list = await api.call('GET', 'pki/issuers?list=true')
    expect(outcome(list)).toEqual(wanted({ status: 200 }))
    expect(list.body.data?.['keys']).toEqual([setup.rootIssuerId])
    expect(list.body.data?.['key_info']).toMatchObject({
      [setup.rootIssuerId]: { is_default: true, issuer_name: 'root-1' },
    })
    for (const reference of [setup.rootIssuerId, 'root-1', 'default']) {
      const { body } = await api.call('GET', `pki/issuer/${reference}/json`)
      expect(body.data).toMatchObject({ issuer_id: setup.rootIssuerId, issuer_name: 'root-1' })
      expect(String(body.data?.['certificate']).trim()).toBe(setup.rootPem)
      expect(chainOf(body)).toEqual([setup.rootPem])
    }
    for (const path of ['pki/ca/pem', 'pki/ca_chain', 'pki/issuer/default/pem']) {
      const answer = await api.call('GET', path)
      expect([answer.status, answer.text.trim()]).toEqual([200, setup.rootPem])
      expect(answer.headers['content-type']).toMatch(/^application\/(pem-certificate-chain|pkix-cert)$/)
    }
  })

  test('what is not open', async () => {
    const { api } = contract()
    expect(outcome(await api.call('GET', 'pki/issuers'))).toEqual(wanted(tokenDenied))
    expect(outcome(await api.call('GET', 'pki/issuer/default'))).toEqual(wanted(tokenDenied))
    expect(outcome(await api.call('GET', 'pki/issuer/nope/json'))).toEqual(
      wanted({
        status: 500,
        error: /unable to find PKI issuer for reference: nope/,
      }),
    )
  })

  test('a new root becomes the default only when it is told to, and the old one stays until it is deleted', async () => {
    const { api, setup } = contract()
    const rotated = await api.root('POST', 'pki/root/rotate/internal', {
      common_name: 'Calico etcd clients',
      issuer_name: 'root-2',
      key_type: 'ec',
      ttl: '8760h',
    })
    const id = String(rotated.body.data?.['issuer_id'])
    const token = await tokenOf(contract(), 'node1')
    const issuingCa = async () => (await sign(contract(), token, own)).body.data?.['issuing_ca']
    const ids = async () => (await api.call('GET', 'pki/issuers?list=true')).body.data?.['keys']
    expect(await issuingCa()).toBe(setup.rootPem)
    await api.root('POST', 'pki/config/issuers', { default: 'root-2' })
    expect(await issuingCa()).toBe(rotated.body.data?.['certificate'])
    expect(await ids()).toHaveLength(2)
    await api.root('POST', 'pki/config/issuers', { default: setup.rootIssuerId })
    // Whoever deletes one that is gone is told that it is gone.
    for (let round = 0; round < 2; round++) await api.root('DELETE', `pki/issuer/${id}`)
    expect(await ids()).toEqual([setup.rootIssuerId])
    expect(await issuingCa()).toBe(setup.rootPem)
  })

  test('a root lives for 32 days unless its lifetime is given, and never longer than the mount allows', async () => {
    const { api } = contract()
    await api.root('POST', 'sys/mounts/pki-lifetime', { type: 'pki' })
    const daysOf = async (path: string, ttl: object): Promise<number> => {
      const { body } = await api.root('POST', `pki-lifetime/root/${path}/internal`, {
        common_name: 'CA',
        key_type: 'ec',
        ...ttl,
      })
      const { validFrom, validTo } = new X509Certificate(String(body.data?.['certificate']))
      return Math.round((Date.parse(validTo) - Date.parse(validFrom)) / 86_400_000)
    }
    expect(await daysOf('generate', {})).toBe(32)
    expect(await daysOf('rotate', { ttl: '87600h' })).toBe(32)
    await api.root('POST', 'sys/mounts/pki-lifetime/tune', { max_lease_ttl: '87600h' })
    expect(await daysOf('rotate', {})).toBe(32)
    expect(await daysOf('rotate', { ttl: '87600h' })).toBe(3650)
  })

  test('an intermediate answers with its root in the chain', async () => {
    const { api, csr, vault } = contract()
    await api.root('POST', 'sys/mounts/pki-int', { type: 'pki' })
    const request = await api.root('POST', 'pki-int/intermediate/generate/internal', {
      common_name: 'Intermediate',
      key_type: 'ec',
    })
    const signed = await api.root('POST', 'pki/root/sign-intermediate', {
      csr: request.body.data?.['csr'],
      ttl: '100h',
    })
    const pems = [String(signed.body.data?.['certificate']), contract().setup.rootPem]
    await api.root('POST', 'pki-int/intermediate/set-signed', { certificate: pems.join('\n') })
    await api.root('POST', 'pki-int/roles/any', { allow_any_name: true, enforce_hostnames: false, key_type: 'ec' })
    const body = { csr, common_name: own, exclude_cn_from_sans: true, ttl: '1h' }
    const answer = await api.call('POST', 'pki-int/sign/any', body, { token: vault.rootToken })
    expect(outcome(answer)).toEqual(wanted({ status: 200 }))
    expect(chainOf(answer.body)).toEqual(pems)
    const short = await api.call(
      'POST',
      'pki-int/sign/any',
      { ...body, remove_roots_from_chain: true },
      { token: vault.rootToken },
    )
    expect(chainOf(short.body)).toEqual(pems.slice(0, 1))
    const list = await api.call('GET', 'pki-int/issuers?list=true')
    expect(list.body.data?.['keys']).toHaveLength(2)
  })
}

export function revocationCases(contract: Contracted): void {
  test('who holds the key may revoke the certificate, again and again', async () => {
    const { api, csrKey } = contract()
    const token = await tokenOf(contract(), 'node1')
    const leaf = await leafOf(contract(), token)
    const body = { certificate: leaf.toString(), private_key: csrKey }
    for (let round = 0; round < 2; round++) {
      const answer = await api.call('POST', 'pki/revoke-with-key', body, { token })
      expect(outcome(answer)).toEqual(wanted({ status: 200 }))
      expect(answer.body.data).toMatchObject({ state: 'revoked', revocation_time: expect.any(Number) as number })
    }
    expect(await revokedSerials(api)).toContain(leaf.serialNumber)
  })

  test('by serial number a certificate that was not stored is not found', async () => {
    const { api, csrKey } = contract()
    const token = await tokenOf(contract(), 'node1')
    const serial = (await sign(contract(), token, own)).body.data?.['serial_number']
    const body = { serial_number: serial, private_key: csrKey }
    expect(outcome(await api.call('POST', 'pki/revoke-with-key', body, { token }))).toEqual(
      wanted({
        status: 400,
        error: `certificate with serial ${String(serial)} not found.`,
      }),
    )
  })

  test('another key does not revoke, and neither does none', async () => {
    const { api } = contract()
    const token = await tokenOf(contract(), 'node1')
    const certificate = (await leafOf(contract(), token)).toString()
    const { privateKeyPem } = await createKeyPair()
    const revoke = async (body: object) => await api.call('POST', 'pki/revoke-with-key', body, { token })
    expect(outcome(await revoke({ certificate, private_key: privateKeyPem }))).toEqual(
      wanted({
        status: 500,
        error: /provided private key does not match certificate's public key/,
      }),
    )
    expect(outcome(await revoke({ certificate }))).toEqual(wanted({ status: 400, error: /private key/ }))
  })
}

async function leafOf(contract: Contract, token: string): Promise<X509Certificate> {
  const { body } = await sign(contract, token, own)
  const leaf = new X509Certificate(String(body.data?.['certificate']))
  expect(createPublicKey(createPrivateKey(contract.csrKey)).equals(leaf.publicKey)).toBe(true)
  return leaf
}

function chainOf({ data }: VaultBody): string[] {
  const chain = data?.['ca_chain']
  return Array.isArray(chain) ? chain.map((each: string) => each.trim()) : []
}

/** Of the CRL: tbsCertList { version, algorithm, issuer, thisUpdate, nextUpdate, revoked [ { serial, date } ], … }. */
async function revokedSerials(api: VaultApi): Promise<string[]> {
  const { text } = await api.call('GET', 'pki/crl/pem')
  const list = readDer(Buffer.from(text.replaceAll(/-----[^-]+-----/g, ''), 'base64'))
  const entries = list.children[0]?.children[5]?.children ?? []
  return entries.map(({ children }) => (children[0]?.content.toString('hex') ?? '').replace(/^00/, '').toUpperCase())
}

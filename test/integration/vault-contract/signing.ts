/** Owns the contract of signing: the answer's shape, lifetimes, requests that are refused, issuers that end or are absent. */
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createCsr } from '../../support/csr.ts'
import { type Contract, type Contracted, outcome, sign, tokenOf, wanted } from './contract.ts'

const own = 'calico-node:node1'
const hour = 3600

export function signingCases(contract: Contracted): void {
  test('the answer has the leaf, its issuer and chain, and its own dates', async () => {
    const answer = await sign(contract(), await tokenOf(contract(), 'node1'), own)
    expect(outcome(answer)).toEqual(wanted({ status: 200 }))
    expect(answer.body).toMatchObject({ lease_id: '', renewable: false, lease_duration: 0, auth: null, warnings: null })
    const data = answer.body.data ?? {}
    const leaf = new X509Certificate(String(data['certificate']))
    expect(data['certificate']).toMatch(/^-----BEGIN CERTIFICATE-----\n[^]*\n-----END CERTIFICATE-----$/)
    expect(data['issuing_ca']).toBe(contract().setup.rootPem)
    expect(data['ca_chain']).toEqual([contract().setup.rootPem])
    expect(data['serial_number']).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2})+$/)
    expect(String(data['serial_number']).replaceAll(':', '').toUpperCase()).toBe(leaf.serialNumber)
    expect(data['expiration']).toBe(leaf.validToDate.getTime() / 1000)
    // OpenBao only.
    const notBefore = leaf.validFromDate.getTime() / 1000
    expect(data['not_before'] ?? notBefore).toBe(notBefore)
    expect(leaf.verify(new X509Certificate(contract().setup.rootPem).publicKey)).toBe(true)
  })

  test('other forms: a bundle, and a chain without roots', async () => {
    const token = await tokenOf(contract(), 'node1')
    const bundle = await sign(contract(), token, own, { format: 'pem_bundle' })
    expect(String(bundle.body.data?.['certificate']).match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    const short = await sign(contract(), token, own, { remove_roots_from_chain: true })
    expect(short.body.data).not.toHaveProperty('ca_chain')
  })

  test.each([
    ['1h', hour],
    ['60s', 60],
    [60, 60],
    ['1s', 1],
    ['0', 24 * hour],
  ])('a ttl of %j is granted from now, with 30 seconds before', async (ttl, seconds) => {
    const { body } = await sign(contract(), await tokenOf(contract(), 'node1'), own, { ttl })
    const leaf = new X509Certificate(String(body.data?.['certificate']))
    const lifetime = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 1000
    expect(Math.abs(lifetime - seconds - 30)).toBeLessThanOrEqual(1)
    expect(body.warnings).toBeNull()
  })

  test('a ttl over the maximum is capped, with a warning', async () => {
    const { body } = await sign(contract(), await tokenOf(contract(), 'node1'), own, { ttl: '48h' })
    // Vault 1.21 says it twice.
    expect(new Set(body.warnings)).toEqual(
      new Set(['TTL "48h0m0s" is longer than permitted maxTTL "24h0m0s", so maxTTL is being used']),
    )
  })

  test.each(['-60s', 'soon'])('a ttl of %j is refused', async (ttl) => {
    const answer = await sign(contract(), await tokenOf(contract(), 'node1'), own, { ttl })
    expect(outcome(answer)).toEqual(wanted({ status: 400, error: /^Field validation failed: / }))
  })

  test('what a request says itself is ignored, and a larger key is accepted', async () => {
    const token = await tokenOf(contract(), 'node1')
    const { csrPem } = await createCsr({ commonName: 'root', dnsNames: ['root'], keyType: 'ec-p384' })
    const { body } = await sign(contract(), token, own, { csr: csrPem })
    const leaf = new X509Certificate(String(body.data?.['certificate']))
    expect([leaf.subject, leaf.subjectAltName]).toEqual([`CN=${own}`, undefined])
  })

  test('requests that are refused', async () => {
    const token = await tokenOf(contract(), 'node1')
    const asked = async (csr: string) => await sign(contract(), token, own, { csr })
    for (const keyType of ['rsa', 'ed25519'] as const) {
      const { csrPem } = await createCsr({ keyType })
      expect(outcome(await asked(csrPem))).toEqual(wanted({ status: 400, error: 'role requires keys of type ec' }))
    }
    const { csrPem } = await createCsr({ hasBadSignature: true })
    expect(outcome(await asked(csrPem))).toEqual(wanted({ status: 400, error: 'request signature invalid' }))
    expect(outcome(await asked('garbage'))).toEqual(wanted({ status: 400, error: 'csr contains no data' }))
    expect(outcome(await asked(''))).toEqual(wanted({ status: 400, error: '"csr" is empty' }))
  })

  test('what only root gets as far as', async () => {
    const { api, csr, vault } = contract()
    const asRoot = async (path: string, body: object) => await api.call('POST', path, body, { token: vault.rootToken })
    const body = { csr, common_name: own }
    expect(outcome(await asRoot('pki/sign/nope', body))).toEqual(wanted({ status: 400, error: 'unknown role: nope' }))
    expect(outcome(await asRoot('nope/sign/nope', body))).toEqual(
      wanted({
        status: 404,
        error: 'no handler for route "nope/sign/nope". route entry not found.',
      }),
    )
    expect(outcome(await asRoot('pki/sign/calico-node/', body))).toEqual(
      wanted({
        status: 400,
        error: "cannot write to a path ending in '/'",
      }),
    )
    const both = { ...body, ttl: '1h', not_after: '2099-01-01T00:00:00Z' }
    await openRole(contract())
    expect(outcome(await asRoot('pki/sign/open', both))).toEqual(
      wanted({ status: 400, error: /^Either ttl or not_after/ }),
    )
    expect(outcome(await asRoot('pki/sign/open', { ...body, alt_names: 'root' }))).toEqual(
      wanted({
        status: 400,
        error: 'subject alternate name root not allowed by this role',
      }),
    )
    expect(outcome(await asRoot('pki/sign/open', { ...body, ip_sans: '10.0.0.1' }))).toEqual(
      wanted({
        status: 400,
        error: /^IP Subject Alternative Names are not allowed in this role, but was provided /,
      }),
    )
  })

  test('without an issuer signing is an error of the server', async () => {
    const { api, csr, vault } = contract()
    await api.root('POST', 'sys/mounts/pki-empty', { type: 'pki' })
    await openRole(contract(), 'pki-empty')
    const body = { csr, common_name: own }
    expect(outcome(await api.call('POST', 'pki-empty/sign/open', body, { token: vault.rootToken }))).toEqual(
      wanted({
        status: 500,
        error:
          '1 error occurred:\n\t* could not fetch the CA certificate (was one set?): no default issuer currently configured\n\n',
      }),
    )
  })

  test('an issuer that ends sooner refuses, truncates or permits, as it is told', async () => {
    const { api, csr, vault } = contract()
    await api.root('POST', 'sys/mounts/pki-short', { type: 'pki' })
    const made = await api.root('POST', 'pki-short/root/generate/internal', {
      common_name: 'Short',
      key_type: 'ec',
      ttl: '1h',
    })
    const root = new X509Certificate(String(made.body.data?.['certificate']))
    await openRole(contract(), 'pki-short')
    const body = { csr, common_name: own, exclude_cn_from_sans: true, ttl: '2h' }
    const asked = async () => await api.call('POST', 'pki-short/sign/open', body, { token: vault.rootToken })
    expect(outcome(await asked())).toEqual(
      wanted({
        status: 400,
        error:
          /^cannot satisfy request, as TTL would result in notAfter of \S+ that is beyond the expiration of the CA certificate at \S+Z$/,
      }),
    )
    const ends = async (behavior: string) => {
      await api.root('POST', 'pki-short/issuer/default', { leaf_not_after_behavior: behavior })
      return new X509Certificate(String((await asked()).body.data?.['certificate'])).validToDate.getTime()
    }
    expect(await ends('truncate')).toBe(root.validToDate.getTime())
    expect(await ends('permit')).toBeGreaterThan(root.validToDate.getTime())
  })
}

/** A role that allows one name to anybody. */
async function openRole({ api }: Contract, mount = 'pki'): Promise<void> {
  await api.root('POST', `${mount}/roles/open`, {
    allowed_domains: [own],
    allow_bare_domains: true,
    allow_ip_sans: false,
    enforce_hostnames: false,
    key_type: 'ec',
    use_csr_common_name: false,
    use_csr_sans: false,
    max_ttl: '24h',
  })
}

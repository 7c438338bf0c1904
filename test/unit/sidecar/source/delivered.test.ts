import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { Secret } from '../../../../agent/core/secret.ts'
import { createBundle } from '../../../../agent/pki/bundle.ts'
import { createDeliveredSource, type Delivered, whyOlder } from '../../../../agent/sidecar/source/delivered.ts'
import type { Candidate, Wanted } from '../../../../agent/sidecar/source/source.ts'
import { createCa, type LeafOptions, type TestCa, type TestCertificate } from '../../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../../support/damaged.ts'

const hourMs = 3_600_000
const now = Date.now()
const at = (ms: number): Date => new Date(now + ms)
const commonName = 'calico-node:node1'
const root = await createCa({ commonName: 'Root' })
const intermediate = await createCa({ commonName: 'Intermediate', issuer: root })
const target = { component: 'calico-node', directory: '/x', pkiRole: '', commonName }

const issue = async (options: LeafOptions = {}, signer: TestCa = root): Promise<TestCertificate> =>
  await signer.issue({ commonName, ...options })

const delivery = ({ certificatePem, privateKeyPem }: TestCertificate, more: Partial<Delivered> = {}): Delivered => ({
  certificate: certificatePem,
  key: new Secret(privateKeyPem),
  ca: root.certificatePem,
  nameOf: (part) => `there: the-${part}`,
  ...more,
})

/** A source that holds what the test puts there, and a target that publishes what it is given. */
function rig(first: Delivered) {
  const there = { delivered: first }
  const source = createDeliveredSource({ read: () => Promise.resolve(there.delivered), pollMs: 1000 })
  let published: Wanted['published']
  const wanted = (): Wanted => ({ target, commonName, published })
  const publish = (candidate: Candidate | undefined): void => {
    if (candidate !== undefined) published = createBundle({ ...candidate, ca: candidate.issuers })
  }
  return {
    there,
    publish,
    obtain: async () => await source.obtain(wanted(), undefined),
    look: async () => await source.poll(wanted()),
    /** Another process: it knows what is published and nothing else. */
    restarted: () =>
      createDeliveredSource({ read: () => Promise.resolve(there.delivered), pollMs: 1 }).obtain(wanted(), undefined),
  }
}

async function refusal(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'none'
}

describe('what is there', () => {
  test('becomes a candidate: the chain without its root, the CA as it stands there', async () => {
    const leaf = await issue({}, intermediate)
    const certificate = [leaf, intermediate, root].map(({ certificatePem }) => certificatePem).join('')
    const candidate = await rig(delivery(leaf, { certificate })).obtain()
    expect(candidate?.leaf.serialNumber).toBe(leaf.serialNumber)
    expect(candidate?.intermediates.map(({ subject }) => subject)).toEqual(['CN=Intermediate'])
    expect(candidate?.issuers.map(({ subject }) => subject)).toEqual(['CN=Root'])
    expect(candidate && candidate.leaf.checkPrivateKey(candidate.key)).toBe(true)
  })

  test('may leave the CA to AGENT_ETCD_CA_FILE', async () => {
    expect((await rig(delivery(await issue(), { ca: undefined })).obtain())?.issuers).toEqual([])
  })

  test.each([
    ['PKCS#8', 'ec', (pem: string) => pem],
    ['SEC 1', 'ec', (pem: string) => createPrivateKey(pem).export({ type: 'sec1', format: 'pem' }).toString()],
    ['PKCS#1', 'rsa', (pem: string) => createPrivateKey(pem).export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['PKCS#8', 'ed25519', (pem: string) => pem],
    [
      'SEC 1 behind its parameters',
      'ec',
      (pem: string) =>
        execFileSync('openssl', ['ecparam', '-name', 'prime256v1'], { encoding: 'utf8' }) +
        createPrivateKey(pem).export({ type: 'sec1', format: 'pem' }).toString(),
    ],
    ['with lines of Windows', 'ec', (pem: string) => pem.replaceAll('\n', '\r\n')],
    ['after words of OpenSSL', 'ec', (pem: string) => `Bag Attributes\n    localKeyID: 01\n${pem}`],
  ] as const)('has a key that is %s (%s)', async (_name, keyType, format) => {
    const leaf = await issue({ keyType })
    const candidate = await rig(delivery(leaf, { key: new Secret(format(leaf.privateKeyPem)) })).obtain()
    expect(candidate?.leaf.checkPrivateKey(candidate.key)).toBe(true)
  })

  test.each<[string, Partial<Delivered>, RegExp]>([
    ['no certificate', { certificate: 'hello' }, /^malformed: there: the-certificate: there is no PEM certificate/],
    [
      'half a certificate',
      { certificate: root.certificatePem.slice(0, 200) },
      /^malformed: there: the-certificate: .*end/,
    ],
    ['no key', { key: new Secret('hello') }, /^malformed: there: the-key: there is no PEM private key in it$/],
    [
      'an encrypted key',
      { key: new Secret('-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----') },
      /^malformed: there: the-key: the private key is encrypted$/,
    ],
    ['no CA', { ca: 'hello' }, /^malformed: there: the-ca: there is no PEM certificate in it$/],
  ])('is malformed where it holds %s, and the part is named', async (_name, broken, message) => {
    expect(await refusal(rig(delivery(await issue(), broken)).obtain)).toMatch(message)
  })
})

describe('what is published', () => {
  test('is the same: nothing newer, and its CA certificates are told', async () => {
    const { obtain, look, publish, there } = rig(delivery(await issue()))
    publish(await obtain())
    expect(await obtain()).toBeUndefined()
    there.delivered = { ...there.delivered, ca: root.certificatePem + intermediate.certificatePem, version: 7 }
    expect(await obtain()).toBeUndefined()
    const { issuers, renew } = await look()
    expect([issuers?.length, renew]).toEqual([2, undefined])
  })

  test('gives way to a newer one', async () => {
    const { obtain, look, publish, there } = rig(delivery(await issue({ notBefore: at(-2 * hourMs) })))
    publish(await obtain())
    const newer = await issue({ notBefore: at(-hourMs) })
    there.delivered = delivery(newer)
    expect(await look()).toEqual({ renew: 'source-changed' })
    expect((await obtain())?.leaf.serialNumber).toBe(newer.serialNumber)
  })

  test('gives way to the same one with a completed chain', async () => {
    const leaf = await issue({}, intermediate)
    const { obtain, publish, there } = rig(delivery(leaf))
    publish(await obtain())
    there.delivered = delivery(leaf, { certificate: leaf.certificatePem + intermediate.certificatePem })
    expect((await obtain())?.intermediates).toHaveLength(1)
  })

  test('stays where the source goes back, also after a restart and under a higher version', async () => {
    const { obtain, publish, there, restarted } = rig(delivery(await issue({ notBefore: at(-hourMs) }), { version: 3 }))
    publish(await obtain())
    // Longer-lived, and older all the same.
    there.delivered = delivery(await issue({ notBefore: at(-2 * hourMs), notAfter: at(900 * hourMs) }), { version: 4 })
    const message = /^source-older: there: the-certificate: valid from .*Z, the published one from .*Z$/
    expect(await refusal(obtain)).toMatch(message)
    expect(await refusal(restarted)).toMatch(message)
  })

  test('stays where a replica that lags behind answers, among certificates of one second', async () => {
    const dates = { notBefore: at(-hourMs) }
    const { obtain, publish, there } = rig(delivery(await issue(dates), { version: 3 }))
    publish(await obtain())
    there.delivered = delivery(await issue(dates), { version: 2 })
    expect(await refusal(obtain)).toMatch(/^source-older: .*version 2, the published one is of version 3$/)
    there.delivered = delivery(await issue(dates), { version: 4 })
    expect(await obtain()).toBeDefined()
  })

  test('gives way where the history was deleted and begins anew', async () => {
    const { obtain, publish, there } = rig(delivery(await issue({ notBefore: at(-2 * hourMs) }), { version: 9 }))
    publish(await obtain())
    there.delivered = delivery(await issue({ notBefore: at(-hourMs) }), { version: 1 })
    expect(await obtain()).toBeDefined()
  })

  test('is no measure where it is for another name: a static certificate that started the node', async () => {
    const { obtain, publish, there, look } = rig(delivery(await issue({ commonName: 'bootstrap' })))
    publish(await obtain())
    const wanted = await issue({ notBefore: at(-1000 * hourMs) })
    there.delivered = delivery(wanted)
    expect(await look()).toEqual({ renew: 'source-changed' })
    expect((await obtain())?.leaf.serialNumber).toBe(wanted.serialNumber)
  })
})

test('a version says nothing where the store or a restart has forgotten it', async () => {
  const leaf = new X509Certificate((await issue()).certificatePem)
  const versions = [undefined, 1, 2] as const
  const older = versions.flatMap((found) =>
    versions.flatMap((known) =>
      whyOlder({ leaf, version: found }, { leaf, version: known }) === undefined ? [] : [[found, known]],
    ),
  )
  expect(older).toEqual([[1, 2]])
})

test.each([withDamagedKey, withUnknownAlgorithm])(
  'a certificate whose key cannot be decoded is refused by name: %o',
  async (damage) => {
    const leaf = await issue()
    const told = async (more: Partial<Delivered>): Promise<string> => await refusal(rig(delivery(leaf, more)).obtain)
    expect(await told({ ca: root.certificatePem + damage(intermediate.certificatePem) })).toMatch(
      /^malformed: there: the-ca: PEM certificate 2: its public key cannot be decoded: .*\(CN=Intermediate\)$/,
    )
    expect(await told({ certificate: damage(leaf.certificatePem) })).toMatch(
      /^malformed: there: the-certificate: PEM certificate 1: its public key/,
    )
  },
)

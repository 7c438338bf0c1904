/** Owns the good certificates of the fuzz: of one length in every run, so that a case changes the same place again. */
import { X509Certificate } from 'node:crypto'
import { createCa, type LeafOptions, type TestCa, type TestCertificate } from '../../support/certificates.ts'
import { createServiceAccountIssuer } from '../../support/service-account.ts'

export const wantedName = 'calico-node:node1'
export const hourMs = 3_600_000

export interface Bundle {
  readonly certificate: string
  readonly key: string
  readonly ca: string
}

export interface Material {
  readonly ca: TestCa
  readonly etcdCa: TestCa
  readonly tlsCa: TestCa
  readonly tlsServer: TestCertificate
  readonly tlsClient: TestCertificate
  /** Far from its renewal. */
  readonly good: Bundle
  /** Past its renewal, and still valid. */
  readonly due: Bundle
  /** What somebody else made, later than both. */
  readonly newer: Bundle
  readonly otherName: Bundle
  readonly token: string
  readonly roleId: string
  readonly secretId: string
  readonly vaultToken: string
}

export async function createMaterial(nowMs: number): Promise<Material> {
  const authority = async (commonName: string): Promise<TestCa> =>
    await ofOneLength(() =>
      createCa({ commonName, notBefore: new Date(nowMs - 100 * hourMs), notAfter: new Date(nowMs + 1000 * hourMs) }),
    )
  const [ca, etcdCa, tlsCa] = await Promise.all(['Vault CA', 'etcd CA', 'TLS CA'].map(authority))
  if (ca === undefined || etcdCa === undefined || tlsCa === undefined) throw new Error('no CA')
  const leaf = async (options: LeafOptions): Promise<TestCertificate> => await ofOneLength(() => ca.issue(options))
  const bundle = async (fromHours: number, toHours: number, commonName = wantedName): Promise<Bundle> => {
    const [notBefore, notAfter] = [fromHours, toHours].map((hours) => new Date(nowMs + hours * hourMs))
    const { certificatePem, privateKeyPem } = await leaf({
      commonName,
      ...(notBefore && { notBefore }),
      ...(notAfter && { notAfter }),
    })
    return { certificate: certificatePem, key: privateKeyPem, ca: ca.certificatePem }
  }
  return {
    ca,
    etcdCa,
    tlsCa,
    tlsServer: await tlsCa.issue({ commonName: 'vault', ipAddresses: ['127.0.0.1'], server: true }),
    tlsClient: await ofOneLength(() => tlsCa.issue({ commonName: 'node1' })),
    good: await bundle(-1, 23),
    due: await bundle(-23, 1),
    newer: await bundle(-0.5, 23.5),
    otherName: await bundle(-1, 23, 'static'),
    // Longer than any case lasts: what the wire and the files do is looked at, not the token's end.
    token: createServiceAccountIssuer().token({ expiresInSeconds: 1_000_000 }),
    roleId: 'role-id-0123456789abcdef',
    secretId: 'secret-id-0123456789abcdef',
    vaultToken: 'hvs.FUZZ0123456789abcdefFUZZ',
  }
}

/** A signature of ECDSA is of 70 to 72 bytes: made again until it is of the most frequent length. */
async function ofOneLength<Made extends TestCertificate>(make: () => Promise<Made>): Promise<Made> {
  for (;;) {
    const made = await make()
    const { raw } = new X509Certificate(made.certificatePem)
    // SEQUENCE of two integers of 32 bytes, one of them with a zero in front: 71 bytes.
    if (raw.at(-71) === 0x30 && raw.at(-70) === 69) return made
  }
}

/** Owns how the rotation's directory looks from outside: its files, one set of them, and nothing. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createBundle } from '../../../agent/pki/bundle.ts'
import { parseCertificates } from '../../../agent/pki/certificate.ts'
import type { Candidate } from '../../../agent/sidecar/source/source.ts'
import { openSecretDir } from '../../../agent/sidecar/store/secret-dir.ts'
import type { TestCa } from '../../support/certificates.ts'

export const fileNames = ['etcd-cert', 'etcd-key', 'etcd-ca'] as const

/** The three files and where they stand: equal means that not a byte was touched. */
export function snapshot(path: string): Record<string, string> {
  const texts = fileNames.map((file) => [file, readFileSync(join(path, file), 'utf8')] as const)
  return { ...Object.fromEntries(texts), generation: readlinkSync(join(path, '..data')) }
}

/** What etcd's client would see. */
export function publishedIn(path: string): { serialNumber: string; ca: string[]; leaf: X509Certificate } {
  const [leaf] = parseCertificates(readFileSync(join(path, 'etcd-cert'), 'utf8'))
  const ca = parseCertificates(readFileSync(join(path, 'etcd-ca'), 'utf8')).map(({ subject }) => subject)
  if (!leaf.checkPrivateKey(createPrivateKey(readFileSync(join(path, 'etcd-key'))))) throw new Error('torn pair')
  return { leaf, serialNumber: leaf.serialNumber, ca: ca.toSorted() }
}

/** What stands in the directory besides the sign that a rotator has it, and its record. */
export function filesIn(path: string): string[] {
  return readdirSync(path).filter((each) => !['..lock', '..issued'].includes(each))
}

export function clear(path: string): void {
  rmSync(path, { recursive: true })
  mkdirSync(path)
}

/** Puts a certificate into a directory, as an earlier agent or an operator would have. */
export function plant(path: string, { leaf, intermediates, key, issuers }: Candidate, signer?: TestCa): void {
  const { text } = createBundle({
    leaf,
    intermediates,
    key,
    ca: signer === undefined ? issuers : [new X509Certificate(signer.certificatePem)],
  })
  openSecretDir(path, { mode: 0o400, uid: undefined, gid: undefined }).publish(text, new Date())
}

/** Owns looking at a published directory as its readers do: through the links, one whole generation. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseCertificates } from '../../../agent/pki/certificate.ts'

export interface PublishedFiles {
  readonly leaf: X509Certificate
  readonly commonName: string | undefined
  /** Common names of etcd-ca, sorted. */
  readonly caNames: readonly string[]
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Throws where nothing is published; fails where key and certificate do not belong together. */
export function readPublished(directory: string): PublishedFiles {
  const generation = realpathSync(join(directory, '..data'))
  const read = (name: string): string => readFileSync(join(generation, name), 'utf8')
  const [ca, cert, key] = [read('etcd-ca'), read('etcd-cert'), read('etcd-key')]
  const leaf = new X509Certificate(cert)
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true)
  const caNames = parseCertificates(ca).map((each) => nameOf(each) ?? '')
  return { leaf, commonName: nameOf(leaf), caNames: caNames.toSorted(), ca, cert, key }
}

/** What stands in the directory, byte for byte: link targets and contents. */
export function snapshot(directory: string): Readonly<Record<string, string>> {
  const { ca, cert, key } = readPublished(directory)
  return { generation: realpathSync(join(directory, '..data')), ca, cert, key }
}

/** What stands in the directory besides the agent's own lock and record. */
export function entriesOf(directory: string): string[] {
  return readdirSync(directory).filter((name) => !['..lock', '..issued'].includes(name))
}

/** Writes a file as the kubelet does: whole, behind `..data`, swapped by a rename. Returns its path. */
export function project(volume: string, name: string, content: string): string {
  const generation = `..${Date.now()}.${Math.random()}`
  mkdirSync(join(volume, generation), { recursive: true })
  writeFileSync(join(volume, generation, name), content)
  symlinkSync(generation, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  if (!readdirSync(volume).includes(name)) symlinkSync(join('..data', name), join(volume, name))
  return join(volume, name)
}

function nameOf(certificate: X509Certificate): string | undefined {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1]
}

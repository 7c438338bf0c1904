/** Owns the judgment of what stands in the directory, without the agent's own code: as a client of etcd would take it. */
import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const files = ['etcd-cert', 'etcd-key', 'etcd-ca'] as const

/** All bytes, to see whether anything was touched; a file that cannot be read counts as empty. */
export function bytesIn(directory: string): string {
  return files.map((file) => readText(join(directory, file)) ?? '').join('\0')
}

/** What is wrong with the set; undefined: a client can use it. */
export function problemIn(directory: string, names: readonly string[], nowMs: number): string | undefined {
  const [certificate, key, ca] = files.map((file) => readText(join(directory, file)))
  if (certificate === undefined || key === undefined || ca === undefined) return 'a file is missing'
  try {
    const [leaf, ...chain] = certificatesIn(certificate)
    if (leaf === undefined) return 'no certificate'
    const name = leaf.subject.replace(/^CN=/, '')
    if (!names.includes(name)) return `it is for ${name}`
    const text = Buffer.from('text')
    if (!verify('sha256', text, leaf.publicKey, sign('sha256', text, createPrivateKey(key)))) return 'not its key'
    if (leaf.validFromDate.getTime() > nowMs || leaf.validToDate.getTime() <= nowMs) return 'not valid now'
    const anchors = [...chain, ...certificatesIn(ca)]
    return anchors.some((each) => leaf.verify(each.publicKey)) ? undefined : 'no CA that has signed it'
  } catch (error) {
    return String(error)
  }
}

/** Certificates whose keys can be had: a client leaves the others of a set out. */
function certificatesIn(pem: string): X509Certificate[] {
  // As Go's encoding/pem has it: each mark alone on its line.
  const blocks =
    pem.match(/^-----BEGIN CERTIFICATE-----[ \t\r]*\n[A-Za-z0-9+/=\s]+\n-----END CERTIFICATE-----[ \t\r]*$/gm) ?? []
  return blocks.flatMap((block) => {
    try {
      const certificate = new X509Certificate(block)
      return certificate.publicKey.type === 'public' ? [certificate] : []
    } catch {
      return []
    }
  })
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

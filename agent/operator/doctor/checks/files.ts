/** Owns the check of the configured certificate files: that they are there, parse, belong together and have not expired. */

import type { X509Certificate } from 'node:crypto'
import { isoTime } from '../../../core/clock.ts'
import { plural } from '../../../core/text.ts'
import { parseCertificates, validityOf } from '../../../pki/certificate.ts'
import { readTlsMaterial } from '../../../vault/tls-files.ts'
import { type Check, failure, ok, type Verdict } from '../check.ts'

export const vaultFiles: Check = {
  id: 'vault-files',
  where: 'vault',
  title: 'certificate files for Vault',
  run: ({ vault, now }) => {
    const { ca, cert } = readTlsMaterial(vault().address)
    const read = (pem: string | undefined): X509Certificate[] => (pem === undefined ? [] : parseCertificates(pem))
    const saw = judgeFiles({ VAULT_CACERT: read(ca), VAULT_CLIENT_CERT: read(cert).slice(0, 1) }, now())
    return saw ?? ok("none is set, so Vault is verified with the system's roots")
  },
}

export const etcdCaFile: Check = {
  id: 'etcd-ca',
  title: "certificate file of etcd's CA",
  run: ({ etcdCa, now }) =>
    judgeFiles({ AGENT_ETCD_CA_FILE: etcdCa() }, now()) ?? ok("none is set, so etcd's CA must be among Vault's"),
}

/** One certificate of a file that is still good is enough. Undefined if no file is named. */
export function judgeFiles(
  named: Readonly<Record<string, readonly X509Certificate[]>>,
  nowMs: number,
): Verdict | undefined {
  const used = Object.entries(named).filter(([, certificates]) => certificates.length > 0)
  for (const [name, certificates] of used) {
    const lastMs = Math.max(...certificates.map((each) => validityOf(each).notAfterMs))
    if (lastMs > nowMs) continue
    return failure(`${name}: expired at ${isoTime(lastMs)}`, 'file-invalid', `Replace the file that ${name} names.`)
  }
  if (used.length === 0) return undefined
  return ok(used.map(([name, { length }]) => `${name}: ${plural(length, kindOf(name))}`).join(', '))
}

function kindOf(name: string): string {
  return name === 'VAULT_CLIENT_CERT' ? 'certificate' : 'CA certificate'
}

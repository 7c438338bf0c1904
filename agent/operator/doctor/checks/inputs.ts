/** Owns the checks of what the agent is given: certificate files, and what it logs in with, as far as that can be seen without Vault. */

import type { X509Certificate } from 'node:crypto'
import type { Auth } from '../../../config/auth.ts'
import { isoTime } from '../../../core/clock.ts'
import { formatDuration } from '../../../core/duration.ts'
import { plural } from '../../../core/text.ts'
import { parseCertificates, validityOf } from '../../../pki/certificate.ts'
import {
  readLoginParameters,
  readStaticToken,
  readTokenClaims,
  type ServiceAccountClaims,
} from '../../../vault/credentials.ts'
import { readTlsMaterial } from '../../../vault/tls-files.ts'
import { type Check, failure, ok, type Verdict, warning } from '../check.ts'

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

export const credential: Check = {
  id: 'credential',
  where: 'vault',
  title: 'the credential to log in with',
  run: ({ vault, config, now }) => judge(vault().auth, config.node, now()),
}

function judge(auth: Auth, node: string, nowMs: number): Verdict {
  if (auth.method === 'token') {
    readStaticToken(auth)
    return ok(auth.tokenFile ?? 'VAULT_TOKEN')
  }
  readLoginParameters(auth, node)
  if (auth.method === 'jwt' || auth.method === 'kubernetes')
    return judgeClaims(readTokenClaims(auth.tokenFile), auth, nowMs)
  return ok(auth.method === 'approle' ? auth.roleIdFile : `the client certificate of VAULT_CLIENT_CERT as ${auth.role}`)
}

/** What the API server itself accepts: whoever sees such a token can use the Kubernetes API with it. */
const apiAudience = /^https:\/\/kubernetes\.default(\.svc(\.[\w.-]+)?)?$/

/** The kubelet renews a token when a fifth of its life, or a day, is left. */
export function judgeClaims(
  claims: ServiceAccountClaims,
  { method, tokenFile }: Pick<Extract<Auth, { tokenFile: string }>, 'method' | 'tokenFile'>,
  nowMs: number,
): Verdict {
  const { expiresAtMs, audiences, serviceAccount, podName, nodeName, issuer } = claims
  const saw = [
    `${tokenFile}: service account ${serviceAccount ?? '(none)'}, audience ${audiences.join(', ') || '(none)'}`,
    `pod ${podName ?? '(none)'}, node ${nodeName ?? '(none)'}, issuer ${issuer ?? '(none)'}, ${validity(expiresAtMs, nowMs)}`,
  ].join('\n')
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return failure(saw, 'credential-expired')
  if (method === 'jwt' && (nodeName === undefined || podName === undefined)) {
    return warning(
      saw,
      'Project the token into the pod (serviceAccountToken volume, Kubernetes 1.30 or newer): without pod and node claims Vault cannot bind the certificate to this node.',
      'credential-invalid',
    )
  }
  if (method === 'jwt' && audiences.some((audience) => apiAudience.test(audience))) {
    return warning(
      saw,
      'Project a token with an audience of its own, such as vault-calico: this one also opens the Kubernetes API.',
      'credential-invalid',
    )
  }
  return ok(saw)
}

function validity(expiresAtMs: number | undefined, nowMs: number): string {
  if (expiresAtMs === undefined) return 'never expires'
  const at = isoTime(expiresAtMs)
  return expiresAtMs <= nowMs ? `expired at ${at}` : `valid for ${formatDuration(expiresAtMs - nowMs)}`
}

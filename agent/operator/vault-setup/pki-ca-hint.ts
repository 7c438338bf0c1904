/**
 * Owns the line that fetches the PKI CA, which etcd must trust for its clients. It is not the CA of Vault's own server certificate,
 * which the line verifies Vault with. Whoever reaches Vault may read it: no token is needed.
 */
import type { VaultAddress } from '../../config/vault.ts'
import { quoted } from '../../core/text.ts'

export function pkiCaHint({ origins, caFile, namespace }: VaultAddress, mount: string): string {
  const [origin = ''] = origins
  const isSocket = origin.startsWith('unix://')
  const options = [
    ...(caFile === undefined ? [] : ['--cacert', caFile]),
    ...(namespace === undefined ? [] : ['-H', `X-Vault-Namespace: ${namespace}`]),
    ...(isSocket ? ['--unix-socket', origin.slice('unix://'.length)] : []),
  ]
  const url = `${isSocket ? 'http://localhost' : origin}/v1/${mount}/ca/pem`
  const command = ['curl', '-fsS', ...options, url].map(quoted).join(' ')
  return `etcd must trust the PKI CA for its clients (--trusted-ca-file). To fetch it:\n  ${command} > pki-ca.pem`
}

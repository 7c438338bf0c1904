/** Owns the TLS material for Vault: read from the configured files before each new connection, so that a changed file counts. */
import type { VaultAddress } from '../config/vault.ts'
import { AgentError, messageOf } from '../errors.ts'
import { parseCertificates } from '../pki/certificate.ts'
import { readSmallFile, systemFiles } from '../store/files.ts'

/** As node:tls takes them; PEM texts. */
export interface TlsMaterial {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly servername: string | undefined
}

/** @throws AgentError `file-invalid` that names the variable and the file */
export function readTlsMaterial(address: VaultAddress): TlsMaterial {
  const ca = address.caPem ?? readPem('VAULT_CACERT', address.caFile)
  const cert = readPem('VAULT_CLIENT_CERT', address.clientCertFile)
  for (const [name, pem] of [
    ['VAULT_CACERT', ca],
    ['VAULT_CLIENT_CERT', cert],
  ] as const) {
    try {
      if (pem !== undefined) parseCertificates(pem)
    } catch (cause) {
      throw new AgentError('file-invalid', `${name}: ${messageOf(cause)}`, { cause })
    }
  }
  return { ca, cert, key: readPem('VAULT_CLIENT_KEY', address.clientKeyFile), servername: address.serverName }
}

function readPem(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readSmallFile(systemFiles, file)
  } catch (cause) {
    throw new AgentError('file-invalid', `${name}: ${messageOf(cause)}`, { cause })
  }
}

/** Owns the TLS material for Vault: read from the configured files before each new connection, so that a changed file counts. */
import { createPrivateKey } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { VaultAddress } from '../config/vault.ts'
import { AgentError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { parseCertificates, toPem } from '../pki/certificate.ts'

/** As node:tls takes them; PEM texts. */
export interface TlsMaterial {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly servername: string | undefined
}

/** @throws AgentError `file-invalid` that names the variable and the file */
export function readTlsMaterial(address: VaultAddress): TlsMaterial {
  const ca =
    address.caPem ??
    using('VAULT_CACERT', address.caFile, readFile) ??
    using('VAULT_CAPATH', address.caDirectory, readDirectory)
  const cert = using('VAULT_CLIENT_CERT', address.clientCertFile, readFile)
  const key = using('VAULT_CLIENT_KEY', address.clientKeyFile, readFile)
  const authorities = using('VAULT_CACERT', ca, parseCertificates)
  const chain = using('VAULT_CLIENT_CERT', cert, parseCertificates)
  const leaf = chain?.[0]
  const privateKey = using('VAULT_CLIENT_KEY', key, createPrivateKey)
  if (leaf !== undefined && privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) {
    // Also what a reader sees in the middle of a replacement in two steps; the next attempt reads both again.
    throw new AgentError('file-invalid', 'VAULT_CLIENT_KEY: the key is not the one of VAULT_CLIENT_CERT')
  }
  // Written anew: OpenSSL reads the very certificates that were judged here, and nothing that stands between them.
  return { ca: authorities && toPem(authorities), cert: chain && toPem(chain), key, servername: address.serverName }
}

/** What `use` makes of the text, if there is one. @throws AgentError `file-invalid` that names the variable */
function using<Result>(variable: string, text: string | undefined, use: (text: string) => Result): Result | undefined {
  try {
    return text === undefined ? undefined : use(text)
  } catch (cause) {
    throw new AgentError('file-invalid', `${variable}: ${messageOf(cause)}`, { cause })
  }
}

function readFile(file: string): string {
  return readSmallFile(systemFiles, file)
}

/** Every file of the directory, as Vault's CLI reads it; hidden ones are the links of a mounted ConfigMap. */
function readDirectory(directory: string): string {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
  if (names.length === 0) throw new Error(`${directory} is empty`)
  return names
    .toSorted()
    .map((name) => readFile(join(directory, name)))
    .join('\n')
}

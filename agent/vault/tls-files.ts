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
  const ca = address.caPem ?? readPem('VAULT_CACERT', address.caFile) ?? readDirectory(address.caDirectory)
  const cert = readPem('VAULT_CLIENT_CERT', address.clientCertFile)
  const key = readPem('VAULT_CLIENT_KEY', address.clientKeyFile)
  const authorities = parsed('VAULT_CACERT', ca, parseCertificates)
  const chain = parsed('VAULT_CLIENT_CERT', cert, parseCertificates)
  const leaf = chain?.[0]
  const privateKey = parsed('VAULT_CLIENT_KEY', key, createPrivateKey)
  if (leaf !== undefined && privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) {
    // Also what a reader sees in the middle of a replacement in two steps; the next attempt reads both again.
    throw new AgentError('file-invalid', 'VAULT_CLIENT_KEY: the key is not the one of VAULT_CLIENT_CERT')
  }
  // Written anew: OpenSSL reads the very certificates that were judged here, and nothing that stands between them.
  return { ca: authorities && toPem(authorities), cert: chain && toPem(chain), key, servername: address.serverName }
}

function parsed<Value>(name: string, pem: string | undefined, parse: (pem: string) => Value): Value | undefined {
  try {
    return pem === undefined ? undefined : parse(pem)
  } catch (cause) {
    throw new AgentError('file-invalid', `${name}: ${messageOf(cause)}`, { cause })
  }
}

/** Every file of the directory, as Vault's CLI reads it; hidden ones are the links of a mounted ConfigMap. */
function readDirectory(directory: string | undefined): string | undefined {
  if (directory === undefined) return undefined
  try {
    const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
    const texts = names.toSorted().map((name) => readSmallFile(systemFiles, join(directory, name)))
    if (texts.length === 0) throw new Error(`${directory} is empty`)
    return texts.join('\n')
  } catch (cause) {
    throw new AgentError('file-invalid', `VAULT_CAPATH: ${messageOf(cause)}`, { cause })
  }
}

function readPem(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readSmallFile(systemFiles, file)
  } catch (cause) {
    throw new AgentError('file-invalid', `${name}: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Owns the options that say where a server is and how it is reached, called as its own tool calls them. Each stands for a variable
 * and wins over it.
 */
import { resolve } from 'node:path'
import { withScheme } from '../config/etcd.ts'
import { UsageError } from './exit.ts'
import { filled, type OptionRow } from './options.ts'

/** Variables that take the place of those in the environment; undefined takes one away. */
export type ConnectionSettings = Readonly<Record<string, string | undefined>>

/** As commander reads them. */
export type GivenConnection = Readonly<
  Partial<Record<'vaultAddr' | 'caCert' | 'namespace' | 'endpoints' | 'cacert' | 'cert' | 'key', string>>
>

export const vaultOptions: readonly OptionRow[] = [
  ['--address, --vault-addr <url>', 'Vault, as VAULT_ADDR', filled],
  ['--ca-cert <file>', "the CA of Vault's server certificate, as VAULT_CACERT", filled],
  ['--namespace <path>', 'namespace in Vault, as VAULT_NAMESPACE', filled],
]

export const endpointsOption: OptionRow = ['--endpoints <urls>', 'etcd, with commas, as ETCD_ENDPOINTS', filled]

export const etcdOptions: readonly OptionRow[] = [
  endpointsOption,
  ['--cacert <file>', "the CA of etcd's server certificates, as ETCD_CA_CERT_FILE", filled],
  ['--cert <file>', "the operator's certificate, as ETCD_CERT_FILE", filled],
  ['--key <file>', 'its private key, as ETCD_KEY_FILE', filled],
]

/**
 * @param options of a command, with others among them
 * @throws UsageError
 */
export function readConnection(options: GivenConnection): ConnectionSettings {
  const { vaultAddr, caCert, namespace, endpoints, cacert, cert, key } = options
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key belong together')
  return {
    ...(vaultAddr && { VAULT_ADDR: vaultAddr }),
    // The text of a variable would win over the file.
    ...(caCert && { VAULT_CACERT: resolve(caCert), VAULT_CACERT_BYTES: undefined }),
    ...(namespace && { VAULT_NAMESPACE: namespace }),
    ...(endpoints && { ETCD_ENDPOINTS: withScheme(endpoints) }),
    ...(cacert && { ETCD_CA_CERT_FILE: cacert }),
    ...(cert && { ETCD_CERT_FILE: cert, ETCD_KEY_FILE: key }),
  }
}

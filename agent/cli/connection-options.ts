/**
 * Owns the options that say where a server is and how it is reached, called as its own tool calls them. Each stands for a variable
 * and wins over it.
 */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { withScheme } from '../config/etcd.ts'
import { UsageError } from './failure.ts'

/** Variables that take the place of those in the environment; undefined takes one away. */
export type ConnectionSettings = Readonly<Record<string, string | undefined>>

/** As commander reads them. */
export interface GivenConnection {
  readonly vaultAddr?: string
  readonly caCert?: string
  readonly namespace?: string
  readonly endpoints?: string
  readonly cacert?: string
  readonly cert?: string
  readonly key?: string
}

export function addVaultOptions(command: Command): void {
  command
    .option('--address, --vault-addr <url>', 'Vault, as VAULT_ADDR')
    .option('--ca-cert <file>', "the CA of Vault's server certificate, as VAULT_CACERT")
    .option('--namespace <path>', 'namespace in Vault, as VAULT_NAMESPACE')
}

export function addEndpointsOption(command: Command): void {
  command.option('--endpoints <urls>', 'etcd, with commas, as ETCD_ENDPOINTS')
}

export function addEtcdOptions(command: Command): void {
  addEndpointsOption(command)
  command
    .option('--cacert <file>', "the CA of etcd's server certificates, as ETCD_CA_CERT_FILE")
    .option('--cert <file>', "the operator's certificate, as ETCD_CERT_FILE")
    .option('--key <file>', 'its private key, as ETCD_KEY_FILE')
}

/**
 * @param options of a command, with others among them
 * @throws UsageError
 */
export function readConnection(options: GivenConnection): ConnectionSettings {
  const { vaultAddr, caCert, namespace, endpoints, cacert, cert, key } = options
  for (const [name, value] of Object.entries({ vaultAddr, caCert, namespace, endpoints, cacert, cert, key })) {
    if (value === '') throw new UsageError(`${flagOf(name)} is empty`)
  }
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

function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

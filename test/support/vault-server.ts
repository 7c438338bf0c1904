/** Owns what a Vault looks like to a test, whether it is the development Vault or a real one: where it is and how to stop it. */

export interface VaultServer {
  /** `https://127.0.0.1:PORT`, without a trailing slash. */
  readonly address: string
  /** The CA of its TLS certificate, as PEM and as a file. */
  readonly caPem: string
  readonly caFile: string
  readonly rootToken: string
  readonly unsealKey: string
  seal(): Promise<void>
  unseal(): Promise<void>
  stop(): Promise<void>
}

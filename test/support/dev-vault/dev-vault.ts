/**
 * Owns the development Vault: an in-process HTTPS server with the part of Vault's API that the agent uses. Promises Vault's own
 * answers (the contract suite runs against both), faults on demand, and a start within a fraction of a second. All in memory.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCa } from '../certificates.ts'
import type { VaultServer } from '../vault-server.ts'
import { createTokenBackend } from './auth-token.ts'
import { createFaults, type Faults } from './faults.ts'
import { createListener } from './http.ts'
import { createRequestLog, type RequestRecord, type Requests } from './requests.ts'
import { addMount, createState, type Flavour } from './state.ts'
import { createSysBackend } from './sys.ts'

export interface DevVaultOptions {
  /** Whose answers, where HashiCorp Vault 1.13 and OpenBao 2.6 differ. Default: `vault`. */
  readonly flavour?: Flavour
  /** Milliseconds since the epoch, for validity, token lifetimes and the Date header. */
  readonly now?: () => number
  /** Signs with an issuer only once that is older than what the role backdates by, as Vault 1.21. Default: at once. */
  readonly refusesYoungIssuers?: boolean
  /** Default: any free one. */
  readonly port?: number
}

export interface DevVault extends VaultServer {
  readonly faults: Faults
  readonly requests: Requests
  /** The next request, from now on, for which `predicate` holds; it is answered already. */
  nextRequest(predicate?: (record: RequestRecord) => boolean): Promise<RequestRecord>
  /** How many entities logins have made: one a node, when the set-up is right. */
  entityCount(): number
}

export async function startDevVault(options: DevVaultOptions = {}): Promise<DevVault> {
  const { flavour = 'vault', now = Date.now, port = 0 } = options
  const state = createState(flavour, now)
  state.refusesYoungIssuers = options.refusesYoungIssuers === true
  addMount(state, { path: 'sys/', type: 'system', backend: () => createSysBackend(state) })
  addMount(state, { path: 'auth/token/', type: 'token', backend: () => createTokenBackend(state) })
  const faults = createFaults()
  const log = createRequestLog()
  const ca = await createCa({ commonName: 'Development Vault TLS CA' })
  const tls = await ca.issue({ commonName: 'vault', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], server: true })
  const directory = await mkdtemp(join(tmpdir(), 'dev-vault-'))
  const caFile = join(directory, 'ca.pem')
  await writeFile(caFile, ca.certificatePem)
  const connections = new Map<number, Socket>()
  const server = createServer(
    // A client certificate is asked for and not demanded; the cert auth method looks at it.
    {
      key: tls.privateKeyPem,
      cert: tls.certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
      keepAliveTimeout: 300_000,
    },
    createListener(state, faults, log, connections),
  )
  server.on('connection', (socket: Socket) => {
    const { remotePort = 0 } = socket
    connections.set(remotePort, socket)
    socket.on('close', () => connections.delete(remotePort))
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: ca.certificatePem,
    caFile,
    rootToken: state.rootToken,
    unsealKey: state.unsealKey,
    faults,
    requests: log,
    nextRequest: async (predicate = () => true) => await log.next(predicate),
    entityCount: () => state.identities.count,
    seal: async () => {
      state.isSealed = true
      await Promise.resolve()
    },
    unseal: async () => {
      state.isSealed = false
      await Promise.resolve()
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Owns one real Vault for a test: started with a certificate made for it, unsealed, with nothing mounted. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireServer } from '../servers/locate.ts'
import { createCa } from './certificates.ts'
import { type ChildServer, freePort, spawnServer } from './child-server.ts'
import { stringAt } from './https-json.ts'
import { vaultApi } from './vault-api.ts'
import type { VaultServer } from './vault-server.ts'

/** What is different between our own program and the vendors' development servers. */
interface Launch {
  readonly child: ChildServer
  readonly address: string
  readonly caPem: string
  readonly caFile: string
  readonly rootToken: string
  readonly unsealKey: string
}

export interface RealVault extends VaultServer {
  readonly pid: number
}

const readyTimeoutMs = 30_000

/**
 * Rejects when there is no program for it: ask `locateServer('vault')` first.
 * @param host an address of this machine, by which its clients call it
 */
export async function startRealVault(host = '127.0.0.1'): Promise<RealVault> {
  const program = requireServer('vault')
  const directory = await mkdtemp(join(tmpdir(), 'real-vault-'))
  const removeDirectory = () => rm(directory, { recursive: true, force: true })
  try {
    const launch = program.kind === 'embedded' ? launchEmbedded : launchDevelopmentServer
    const { child, ...server } = await launch(program.path, directory, host)
    const api = vaultApi(server)
    return {
      ...server,
      pid: child.pid ?? -1,
      async seal() {
        await api.root('PUT', 'sys/seal')
      },
      async unseal() {
        await api.root('PUT', 'sys/unseal', { key: server.unsealKey })
      },
      async stop() {
        api.close()
        await child.stop()
        await removeDirectory()
      },
    }
  } catch (error) {
    await removeDirectory()
    throw error
  }
}

async function launchEmbedded(path: string, directory: string, host: string): Promise<Launch> {
  const ca = await createCa({ commonName: 'real Vault server CA' })
  const leaf = await ca.issue({
    commonName: 'vault',
    server: true,
    dnsNames: ['localhost'],
    ipAddresses: [host],
  })
  const files = { ca: join(directory, 'ca.pem'), cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  await writeFile(files.ca, ca.certificatePem)
  await writeFile(files.cert, leaf.certificatePem)
  await writeFile(files.key, leaf.privateKeyPem, { mode: 0o600 })

  const args = ['--tls-cert', files.cert, '--tls-key', files.key, '--listen', `${host}:0`]
  const child = spawnServer({ name: 'vault', path, args })
  const ready: unknown = JSON.parse(await child.firstLine((line) => line, readyTimeoutMs))
  return {
    child,
    address: stringAt(ready, 'address'),
    caPem: ca.certificatePem,
    caFile: files.ca,
    rootToken: stringAt(ready, 'rootToken'),
    unsealKey: stringAt(ready, 'unsealKey'),
  }
}

/**
 * `server -dev` of HashiCorp Vault and of OpenBao. It makes its own certificate, and it mounts kv version 2 at
 * `secret/`, which is taken away so that every server starts alike.
 */
async function launchDevelopmentServer(path: string, directory: string, host: string): Promise<Launch> {
  const port = await freePort()
  const address = `https://${host}:${port}`
  const rootToken = `root-${randomBytes(12).toString('hex')}`
  const child = spawnServer({
    name: 'vault server -dev',
    path,
    args: [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-root-token-id=${rootToken}`,
      `-dev-listen-address=${host}:${port}`,
      `-dev-tls-san=${host}`,
      '-dev-tls',
      `-dev-tls-cert-dir=${directory}`,
      '-log-level=error',
    ],
    // The development server offers its token to a token helper below the home directory.
    env: { HOME: directory },
  })
  const unsealKey = await child.firstLine((line) => /^\s*Unseal Key: (\S+)/.exec(line)?.[1], readyTimeoutMs)
  const caFile = await child.until(() => findCaFile(directory), readyTimeoutMs)
  const caPem = await readFile(caFile, 'utf8')
  const api = vaultApi({ address, caPem, rootToken })
  try {
    await child.until(async () => (await api.call('GET', 'sys/health')).status === 200 || undefined, readyTimeoutMs)
    await api.root('DELETE', 'sys/mounts/secret')
  } finally {
    api.close()
  }
  return { child, address, caPem, caFile, rootToken, unsealKey }
}

/** `vault-ca.pem`, whatever the vendor's name for it. */
async function findCaFile(directory: string): Promise<string | undefined> {
  const name = (await readdir(directory)).find((file) => file.endsWith('-ca.pem'))
  return name === undefined ? undefined : join(directory, name)
}

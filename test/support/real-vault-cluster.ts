/** Owns a cluster of real Vaults with integrated storage and TLS: members that are joined and unsealed, die, and come back. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { locateServer, requireServer } from '../servers/locate.ts'
import { createCa, type TestCa } from './certificates.ts'
import { type ChildServer, freePort, spawnServer } from './child-server.ts'
import { at, stringAt } from './https-json.ts'
import { type OnEnd, tempDir } from './temp-dir.ts'
import { type VaultApi, vaultApi } from './vault-api.ts'
import type { VaultServer } from './vault-server.ts'

export interface VaultMember {
  readonly id: string
  /** `https://127.0.0.1:PORT`, the same through every restart. */
  readonly address: string
  readonly pid: number
  /** The directory of its storage; to be touched only while the process is gone. */
  readonly storage: string
  readonly api: VaultApi
  /** SIGKILL, as after a power cut. */
  kill(): Promise<void>
  /** Starts the process on what is in its storage, and unseals it. */
  start(): Promise<void>
}

export interface RealVaultCluster {
  readonly members: readonly VaultMember[]
  /** The active node, as the others have elected it. Waits until there is one. */
  leader(): Promise<VaultMember>
  standbys(): Promise<readonly VaultMember[]>
  /** Makes another member the active one. */
  stepDown(): Promise<VaultMember>
  /** The cluster as one Vault: the node that is active now. */
  readonly vault: VaultServer
  stop(): Promise<void>
}

export interface VaultClusterOptions {
  /** Standbys redirect to the active node instead of forwarding. */
  readonly redirects?: boolean
  readonly onEnd?: OnEnd
}

const program = locateServer('vault')

/** Why there is no cluster; a vendor's program is run as a development server only. */
export const clusterMissing: string | undefined =
  'missing' in program
    ? program.missing
    : program.kind === 'upstream'
      ? 'needs the Vault of npm run servers'
      : undefined

const readyTimeoutMs = 60_000

export async function startRealVaultCluster({
  redirects = false,
  onEnd,
}: VaultClusterOptions = {}): Promise<RealVaultCluster> {
  const directory = tempDir(onEnd)
  const ca = await createCa({ commonName: 'Vault cluster CA' })
  const caFile = join(directory, 'ca.pem')
  writeFileSync(caFile, ca.certificatePem)
  const keys = { rootToken: '', unsealKey: '' }
  const members: (VaultMember & { stop(): Promise<void> })[] = []
  const stop = async (): Promise<void> => void (await Promise.all(members.map((member) => member.stop())))
  try {
    for (const id of ['vault-0', 'vault-1', 'vault-2']) {
      const member = await createMember({ id, directory: join(directory, id), ca, redirects, keys })
      members.push(member)
      const [first] = members
      if (first === undefined || first === member) await initialize(member, keys)
      else {
        const target = { leader_api_addr: first.address, leader_ca_cert: ca.certificatePem }
        await expectOk(member.api.call('POST', 'sys/storage/raft/join', target))
      }
      await member.unseal()
      // Unsealed it is a standby for a moment, whom nobody can join.
      if (first === member || first === undefined) await until(async () => (await isActive(member)) || undefined)
    }
    // A member that has joined votes once it was seen well for so long; the default is 10 s. Not before all have joined: if one of two
    // voters is slow there is no leader for the third to join.
    const [first] = members
    await first?.api.root('POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '1s' })
    await until(async () => (await voters(members)) === members.length || undefined)
  } catch (error) {
    await stop()
    throw error
  }

  async function roles(): Promise<Map<VaultMember, number>> {
    const health = async (member: VaultMember): Promise<[VaultMember, number]> => {
      const answer = await member.api.call('GET', 'sys/health').catch(() => undefined)
      return [member, answer?.status ?? 0]
    }
    return new Map(await Promise.all(members.map(health)))
  }
  const withRole = async (status: number): Promise<VaultMember[]> =>
    [...(await roles())].flatMap(([member, found]) => (found === status ? [member] : []))

  const leader = () => until(async () => (await withRole(200))[0])
  const active = await leader()
  const rootApi = active.api
  return {
    members,
    leader,
    standbys: () => withRole(429),
    async stepDown() {
      const before = await leader()
      await before.api.root('PUT', 'sys/step-down')
      return await until(async () => (await withRole(200)).find((member) => member !== before))
    },
    vault: {
      address: active.address,
      caPem: ca.certificatePem,
      caFile,
      ...keys,
      seal: async () => void (await rootApi.root('PUT', 'sys/seal')),
      unseal: async () => void (await rootApi.call('PUT', 'sys/unseal', { key: keys.unsealKey })),
      stop,
    },
    stop,
  }
}

async function isActive({ api }: VaultMember): Promise<boolean> {
  return (await api.call('GET', 'sys/health')).status === 200
}

async function voters([first]: readonly VaultMember[]): Promise<number> {
  const { body } = (await first?.api.root('GET', 'sys/storage/raft/configuration')) ?? {}
  const servers = at(body, 'data', 'config', 'servers')
  return Array.isArray(servers) ? servers.filter((each) => at(each, 'voter') === true).length : 0
}

/** Asks again and again; what it throws means "not yet". */
async function until<Result>(probe: () => Promise<Result | undefined>): Promise<Result> {
  const endAt = performance.now() + readyTimeoutMs
  for (;;) {
    const result = await probe().catch(() => undefined)
    if (result !== undefined) return result
    if (performance.now() > endAt) throw new Error('the cluster did not get there')
    await delay(50)
  }
}

interface MemberOptions {
  readonly id: string
  readonly directory: string
  readonly ca: TestCa
  readonly redirects: boolean
  /** Filled once the first member is initialized. */
  readonly keys: { readonly rootToken: string; readonly unsealKey: string }
}

async function createMember({ id, directory, ca, redirects, keys }: MemberOptions) {
  const storage = join(directory, 'raft')
  mkdirSync(storage, { recursive: true })
  const leaf = await ca.issue({ commonName: id, server: true, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] })
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  writeFileSync(cert, leaf.certificatePem)
  writeFileSync(key, leaf.privateKeyPem, { mode: 0o600 })
  const [listen, clusterListen] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  const address = `https://${listen}`
  const args = ['--tls-cert', cert, '--tls-key', key, '--listen', listen, '--cluster-listen', clusterListen]
  args.push('--raft', storage, '--node-id', id, ...(redirects ? ['--redirects'] : []))
  let child: ChildServer
  // The token is not known yet when the first member starts.
  const api = (): VaultApi => vaultApi({ address, caPem: ca.certificatePem, rootToken: keys.rootToken })
  let current = api()

  async function run(): Promise<void> {
    child = spawnServer({ name: id, path: requireServer('vault').path, args })
    await child.firstLine((line) => line, readyTimeoutMs)
  }
  async function unseal(): Promise<void> {
    current.close()
    current = api()
    await expectOk(current.call('PUT', 'sys/unseal', { key: keys.unsealKey }))
    const isIn = async () => [200, 429].includes((await current.call('GET', 'sys/health')).status) || undefined
    await child.until(isIn, readyTimeoutMs)
  }
  await run()
  return {
    id,
    address,
    storage,
    get pid() {
      return child.pid ?? -1
    },
    get api() {
      return current
    },
    unseal,
    kill: () => child.kill(),
    async start() {
      await run()
      await unseal()
    },
    async stop() {
      current.close()
      await child.kill()
    },
  }
}

async function initialize({ api }: VaultMember, keys: { rootToken: string; unsealKey: string }): Promise<void> {
  const body = await expectOk(api.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }))
  keys.rootToken = stringAt(body, 'root_token')
  keys.unsealKey = String(at(body, 'keys', '0'))
}

async function expectOk(answering: ReturnType<VaultApi['call']>): Promise<unknown> {
  const { status, text, body } = await answering
  if (status >= 300) throw new Error(`${status} ${text.trim()}`)
  return body
}

/**
 * Owns real etcd members for a test: TLS on fixed ports of 127.0.0.1, client certificates demanded, and members that can
 * be killed and come back on the same port with the same data and other certificates.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocatedServer, requireServer } from '../servers/locate.ts'
import { createCa, type TestCa } from './certificates.ts'
import { type ChildServer, freePort } from './child-server.ts'
import type { EtcdIdentity } from './etcd-grpc.ts'
import { launchEtcd } from './etcd-launch.ts'

export interface RealEtcdOptions {
  /** The CAs whose client certificates etcd accepts, such as Vault's roots; besides the test's own, see `client`. */
  readonly clientCaPem?: string
  /** Signs etcd's server certificate. Default: the test's own CA. */
  readonly serverCa?: Pick<TestCa, 'certificatePem' | 'issue'>
  /** Default: true. False: no client is asked for a certificate. */
  readonly clientCertAuth?: boolean
  /** The address of this machine by which its clients call it. Default: 127.0.0.1. */
  readonly host?: string
  /** Revoked client certificates, as one CRL (etcd 3.6 reads no PEM). Default: none. */
  readonly clientCrlDer?: Buffer
}

export interface RealEtcd {
  /** `https://HOST:PORT`, the same through every restart. */
  readonly endpoint: string
  /** The CA of the server certificate, as PEM and as a file; `restart` may change both contents. */
  readonly caPem: string
  readonly caFile: string
  /** A client certificate of the test's own CA, which etcd always accepts. Without a common name: no user. */
  client(commonName?: string): Promise<Required<EtcdIdentity>>
  /** SIGKILL, then the same member again; what is not named stays. */
  restart(change?: RealEtcdOptions): Promise<void>
  /** SIGKILL. Only `restart` or `stop` may follow. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/** One member's fixed places. */
interface Member {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  readonly directory: string
  readonly dataDirectory: string
}

interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly clientCa: string
  readonly clientCrl: string
}

/** Rejects when there is no program for it: ask `locateServer('etcd')` first. */
export async function startRealEtcd(options: RealEtcdOptions = {}): Promise<RealEtcd> {
  const [member] = await startRealEtcdCluster(1, options)
  if (member === undefined) throw new Error('no member')
  return member
}

/** `size` members of one cluster. They start together, since none is ready before most of them are there. */
export async function startRealEtcdCluster(size: number, options: RealEtcdOptions = {}): Promise<RealEtcd[]> {
  const program = requireServer('etcd')
  const ownCa = await createCa({ commonName: 'real etcd CA' })
  const members = await Promise.all(Array.from({ length: size }, (_, index) => planMember(`member${index}`)))
  const cluster = members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(',')
  const started = await Promise.allSettled(
    members.map((member) => startMember(program, member, cluster, ownCa, options)),
  )
  const good = started.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
  const failed = started.find((result) => result.status === 'rejected')
  if (failed === undefined) return good
  await Promise.all(good.map((member) => member.stop()))
  throw failed.reason
}

/** One member without TLS and without authentication, for a kube-apiserver. */
export async function startPlainEtcd(): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  const program = requireServer('etcd')
  const member = await planMember('plain')
  const endpoint = `http://127.0.0.1:${member.clientPort}`
  const initialCluster = `plain=http://127.0.0.1:${member.peerPort}`
  const child = await orRemove(member, launchEtcd(program, { ...member, initialCluster, probe: { endpoint, ca: '' } }))
  return { endpoint, stop: () => stopMember(child, member) }
}

async function planMember(name: string): Promise<Member> {
  const [clientPort, peerPort, directory] = await Promise.all([
    freePort(),
    freePort(),
    mkdtemp(join(tmpdir(), 'real-etcd-')),
  ])
  return { name, clientPort, peerPort, directory, dataDirectory: join(directory, 'data') }
}

async function startMember(
  program: LocatedServer,
  member: Member,
  initialCluster: string,
  ownCa: TestCa,
  options: RealEtcdOptions,
): Promise<RealEtcd> {
  const files: TlsFiles = {
    ca: join(member.directory, 'ca.pem'),
    cert: join(member.directory, 'cert.pem'),
    key: join(member.directory, 'key.pem'),
    clientCa: join(member.directory, 'client-ca.pem'),
    clientCrl: join(member.directory, 'client-crl.der'),
  }
  const { host = '127.0.0.1' } = options
  const endpoint = `https://${host}:${member.clientPort}`
  let current: Required<RealEtcdOptions> = {
    clientCaPem: '',
    serverCa: ownCa,
    clientCertAuth: true,
    clientCrlDer: Buffer.alloc(0),
    host,
    ...options,
  }
  const client: RealEtcd['client'] = async (commonName) => {
    const issued = await ownCa.issue({ client: true, ...(commonName !== undefined && { commonName }) })
    return { endpoint, ca: current.serverCa.certificatePem, cert: issued.certificatePem, key: issued.privateKeyPem }
  }
  const start = async () => {
    await writeTlsFiles(files, ownCa, current)
    const tls = {
      ...files,
      clientCa: current.clientCertAuth ? files.clientCa : undefined,
      clientCrl: current.clientCrlDer.length === 0 ? undefined : files.clientCrl,
    }
    return await launchEtcd(program, { ...member, host, initialCluster, tls, probe: await client() })
  }
  let child = await orRemove(member, start())
  return {
    endpoint,
    get caPem() {
      return current.serverCa.certificatePem
    },
    caFile: files.ca,
    client,
    async restart(change = {}) {
      await child.kill()
      current = { ...current, ...change }
      child = await start()
    },
    kill: () => child.kill(),
    stop: () => stopMember(child, member),
  }
}

/** A first start that fails leaves nothing behind. */
async function orRemove<T>(member: Member, started: Promise<T>): Promise<T> {
  try {
    return await started
  } catch (error) {
    await rm(member.directory, { recursive: true, force: true })
    throw error
  }
}

async function stopMember(child: ChildServer, member: Member): Promise<void> {
  // SIGKILL: the vendor's program hands the leadership over first, for seconds when all members stop at once.
  await child.kill()
  await rm(member.directory, { recursive: true, force: true })
}

async function writeTlsFiles(files: TlsFiles, ownCa: TestCa, options: Required<RealEtcdOptions>): Promise<void> {
  const leaf = await options.serverCa.issue({
    server: true,
    // etcd's JSON gateway is a client of the member, with the server's certificate.
    client: true,
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1', options.host],
  })
  await Promise.all([
    writeFile(files.ca, options.serverCa.certificatePem),
    writeFile(files.cert, leaf.certificatePem),
    writeFile(files.key, leaf.privateKeyPem, { mode: 0o600 }),
    writeFile(files.clientCa, `${ownCa.certificatePem}${options.clientCaPem}`),
    writeFile(files.clientCrl, options.clientCrlDer),
  ])
}

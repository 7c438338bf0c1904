/** Owns how one etcd member is started: by our own program's flags, or by those of the vendor's `etcd` (3.4 and later). */
import type { LocatedServer } from '../servers/locate.ts'
import { type ChildServer, spawnServer } from './child-server.ts'
import { callEtcd, type EtcdIdentity } from './etcd-grpc.ts'

export interface EtcdLaunch {
  readonly name: string
  /** Default: 127.0.0.1. */
  readonly host?: string
  readonly clientPort: number
  readonly peerPort: number
  readonly dataDirectory: string
  /** Every member, as `name=http://127.0.0.1:PORT,…`. */
  readonly initialCluster: string
  /** Absent: plain http. */
  readonly tls?: {
    readonly cert: string
    readonly key: string
    /** Undefined: no client is asked for a certificate. */
    readonly clientCa: string | undefined
    /** File of revoked client certificates. */
    readonly clientCrl?: string | undefined
  }
  /** Any client that the member lets in, to see when it answers. */
  readonly probe: EtcdIdentity
}

const readyTimeoutMs = 60_000

/** Resolves when the member serves clients. */
export async function launchEtcd(program: LocatedServer, launch: EtcdLaunch): Promise<ChildServer> {
  const child = spawnServer({
    name: `etcd ${launch.name}`,
    path: program.path,
    args: program.kind === 'embedded' ? embeddedArguments(launch) : upstreamArguments(launch),
  })
  if (program.kind === 'embedded') await child.firstLine((line) => line, readyTimeoutMs)
  else await child.until(() => answers(launch.probe), readyTimeoutMs)
  return child
}

const ownHost = '127.0.0.1'

function embeddedArguments(launch: EtcdLaunch): string[] {
  const { host = ownHost, clientPort, peerPort, tls } = launch
  return [
    ...memberArguments(launch),
    `--listen-client=${host}:${clientPort}`,
    `--listen-peer=${ownHost}:${peerPort}`,
    ...(tls === undefined ? [] : [`--cert=${tls.cert}`, `--key=${tls.key}`]),
    ...(tls?.clientCa === undefined ? [] : [`--client-ca=${tls.clientCa}`]),
    ...(tls?.clientCrl === undefined ? [] : [`--client-crl=${tls.clientCrl}`]),
  ]
}

function upstreamArguments(launch: EtcdLaunch): string[] {
  const { host = ownHost, clientPort, peerPort, tls } = launch
  const client = `${tls === undefined ? 'http' : 'https'}://${host}:${clientPort}`
  const peer = `http://${ownHost}:${peerPort}`
  const common = [
    ...memberArguments(launch),
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
  ]
  if (tls === undefined) return common
  const { cert, key, clientCa, clientCrl } = tls
  const asksClients = clientCa === undefined ? [] : [`--trusted-ca-file=${clientCa}`, '--client-cert-auth']
  const revokes = clientCrl === undefined ? [] : [`--client-crl-file=${clientCrl}`]
  return [...common, `--cert-file=${cert}`, `--key-file=${key}`, ...asksClients, ...revokes]
}

/** Both programs have these. */
function memberArguments({ name, dataDirectory, initialCluster }: EtcdLaunch): string[] {
  return [`--name=${name}`, `--data-dir=${dataDirectory}`, `--initial-cluster=${initialCluster}`]
}

/** Whatever it answers, a refusal too, it is there. etcd accepts connections before that, but leaves them unanswered. */
async function answers(probe: EtcdIdentity): Promise<true | undefined> {
  const answer = await callEtcd(probe, '/etcdserverpb.Maintenance/Status')
  return answer.ok || answer.code !== 'unreachable' || undefined
}

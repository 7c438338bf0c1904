/** Owns what the tests of `provision` on real etcd share: the versions of etcd, an operator, and the command itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../../agent/core/secret.ts'
import { openEtcd } from '../../../agent/operator/etcd/client.ts'
import { locateServer } from '../../servers/locate.ts'
import { type Ended, type RunOptions, runCommand } from '../../support/command.ts'
import type { EtcdIdentity } from '../../support/etcd-grpc.ts'
import { type RealEtcd, type RealEtcdOptions, startRealEtcdCluster } from '../../support/real-etcd.ts'

export interface EtcdVersion {
  readonly name: string
  /** Undefined: what `locateServer` finds, our own build of 3.6. */
  readonly program: string | undefined
  /** Why it is not there. */
  readonly missing: string | undefined
}

const own = locateServer('etcd')
/** Debian's etcd-server, where it is installed; the build of 3.6 must not hide it. */
const packaged = locateServer('etcd', { PATH: process.env['PATH'], CALICO_VAULT_AGENT_CACHE: '/nonexistent' })

export const etcdVersions: readonly EtcdVersion[] = [
  { name: 'etcd of npm run servers', program: undefined, missing: 'missing' in own ? own.missing : undefined },
  'missing' in packaged
    ? { name: 'etcd of the system', program: undefined, missing: packaged.missing }
    : { name: 'etcd of the system', program: packaged.path, missing: undefined },
]

export function titleOf({ name, missing }: EtcdVersion): string {
  return missing === undefined ? name : `${name} (left out: ${missing})`
}

export async function startMembers(version: EtcdVersion, size = 1, options: RealEtcdOptions = {}): Promise<RealEtcd[]> {
  const before = process.env['ETCD_BIN']
  // Only while it is located: the variable belongs to whoever runs the tests.
  if (version.program !== undefined) process.env['ETCD_BIN'] = version.program
  try {
    return await startRealEtcdCluster(size, options)
  } finally {
    if (before === undefined) delete process.env['ETCD_BIN']
    else process.env['ETCD_BIN'] = before
  }
}

export interface Operator {
  readonly env: Readonly<Record<string, string>>
  /** `calico-vault-agent provision …`, to its end. */
  provision(args: readonly string[], more?: RunOptions): Promise<Ended>
  remove(): void
}

export function operatorFiles({ endpoint, ca, cert = '', key = '' }: EtcdIdentity, endpoints = endpoint): Operator {
  const directory = mkdtempSync(join(tmpdir(), 'provision-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  const env = {
    ETCD_ENDPOINTS: endpoints,
    ETCD_CA_CERT_FILE: file('ca.pem', ca),
    ETCD_CERT_FILE: file('cert.pem', cert),
    ETCD_KEY_FILE: file('key.pem', key),
  }
  return {
    env,
    provision: (args, more = {}) => runProvision(args, { ...more, env: { ...env, ...more.env } }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export async function runProvision(args: readonly string[], options: RunOptions): Promise<Ended> {
  return await runCommand(['provision', ...args], options)
}

export function clientOf(identity: Required<EtcdIdentity>, more: Partial<Parameters<typeof openEtcd>[0]> = {}) {
  const { endpoint, ca, cert, key } = identity
  return openEtcd({ endpoints: [endpoint], ca, cert, key: new Secret(key), ...more })
}

/**
 * Owns what the commands of an operator take over from what is set already for the tools of OpenBao, Vault and etcd. Our own names
 * win. Never for the agent itself: what it does is to be read from its own variables alone.
 */
import { join, resolve } from 'node:path'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { withScheme } from './etcd.ts'
import type { Environment } from './reader.ts'

type Pairs = readonly (readonly [own: string, other: string])[]

const bao = (...names: string[]): Pairs => names.map((name) => [`VAULT_${name}`, `BAO_${name}`])

/** What belongs together is taken over together, or not at all. */
const vaultGroups: readonly Pairs[] = [
  bao('ADDR'),
  bao('CACERT', 'CACERT_BYTES'),
  bao('CLIENT_CERT', 'CLIENT_KEY'),
  bao('CLIENT_TIMEOUT'),
  bao('NAMESPACE'),
  bao('TLS_SERVER_NAME'),
  bao('TOKEN'),
]

const etcdGroups: readonly Pairs[] = [
  [['ETCD_ENDPOINTS', 'ETCDCTL_ENDPOINTS']],
  [['ETCD_CA_CERT_FILE', 'ETCDCTL_CACERT']],
  [
    ['ETCD_CERT_FILE', 'ETCDCTL_CERT'],
    ['ETCD_KEY_FILE', 'ETCDCTL_KEY'],
  ],
]

/** With what is set for `bao`, and the token of `vault login` or `bao login`. */
export function withVaultTools(env: Environment): Environment {
  return withAbsolutePaths(withVaultSettings(env))
}

function withVaultSettings(env: Environment): Environment {
  const known = takeOver(env, vaultGroups)
  return isSet(known, 'VAULT_TOKEN') ? known : { ...known, VAULT_TOKEN: readToken(env['HOME']) }
}

/** A command of a person begins where the person is, as Vault's CLI does; an agent may be started anywhere. */
function withAbsolutePaths(env: Environment): Environment {
  const files = ['VAULT_CACERT', 'VAULT_CAPATH', 'VAULT_CLIENT_CERT', 'VAULT_CLIENT_KEY'].filter((name) =>
    isSet(env, name),
  )
  return { ...env, ...Object.fromEntries(files.map((name) => [name, resolve(env[name]?.trim() ?? '')])) }
}

/** The same for `doctor`, which judges the agent's own login: a token that is set for other programs is none of the agent's. */
export function withVaultToolsForAgent(env: Environment): Environment {
  const known = withVaultSettings(env)
  if (env['AGENT_AUTH_METHOD'] !== 'token') return { ...known, VAULT_TOKEN: undefined }
  return isSet(env, 'AGENT_VAULT_TOKEN_FILE') ? { ...known, VAULT_TOKEN: env['VAULT_TOKEN'] } : known
}

/** With what is set for `etcdctl`, which takes endpoints without a scheme too. */
export function withEtcdctl(env: Environment): Environment {
  const endpoints = env['ETCDCTL_ENDPOINTS']
  return takeOver({ ...env, ETCDCTL_ENDPOINTS: endpoints && withScheme(endpoints) }, etcdGroups)
}

function takeOver(env: Environment, groups: readonly Pairs[]): Environment {
  const taken = groups.filter((group) => !group.some(([own]) => isSet(env, own))).flat()
  const set = taken.filter(([, other]) => isSet(env, other))
  return { ...env, ...Object.fromEntries(set.map(([own, other]) => [own, env[other]])) }
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '').trim() !== ''
}

/** Whoever has never logged in has none. */
function readToken(home: string | undefined): string | undefined {
  if (home === undefined) return undefined
  try {
    return readSmallFile(systemFiles, join(home, '.vault-token')).trim()
  } catch {
    return undefined
  }
}

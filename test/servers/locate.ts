/** Owns where a real test server's program is found: named by the environment, in the cache, or on the PATH. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

export const serverNames = [
  'vault',
  'etcd',
  'kube-apiserver',
  'kustomize',
  'kustomize-5.1',
  'kustomize-5.0',
  'kubernetes',
  'stand-in',
] as const
export type ServerName = (typeof serverNames)[number]

/**
 * `embedded` is our own small program around the server, with its own flags; `upstream` is the vendor's program:
 * `server -dev` of HashiCorp Vault or OpenBao, `etcd`, `kube-apiserver`, `kustomize`.
 */
export interface LocatedServer {
  readonly path: string
  readonly kind: 'embedded' | 'upstream'
}

/** Why there is no program, in words for a test's title. */
export interface MissingServer {
  readonly missing: string
}

type Environment = Readonly<Record<string, string | undefined>>

const overrides: Readonly<Record<ServerName, readonly string[]>> = {
  vault: ['VAULT_BIN', 'BAO_BIN'],
  etcd: ['ETCD_BIN'],
  'kube-apiserver': ['KUBE_APISERVER_BIN'],
  // No server, but built, kept and found in the same way: as it is in kubectl 1.35, 1.28 to 1.30, and 1.27.
  kustomize: ['KUSTOMIZE_BIN'],
  'kustomize-5.1': ['KUSTOMIZE_5_1_BIN'],
  'kustomize-5.0': ['KUSTOMIZE_5_0_BIN'],
  // For a real node (test/e2e): controller-manager, scheduler, kubelet and kubectl in one, and what runs in Calico's place.
  kubernetes: ['KUBERNETES_BIN'],
  'stand-in': ['STAND_IN_BIN'],
}

/** A program that the environment names but that cannot be run is missing: no silent fall-back to another one. */
export function locateServer(name: ServerName, env: Environment = process.env): LocatedServer | MissingServer {
  for (const variable of overrides[name]) {
    const path = env[variable]
    if (path === undefined || path === '') continue
    return isExecutable(path)
      ? { path, kind: 'upstream' }
      : { missing: `${variable}=${path} is not an executable file` }
  }
  const cached = cachedServer(name, env)
  if (cached !== undefined) return { path: cached, kind: 'embedded' }
  const onPath = name === 'etcd' ? findOnPath('etcd', env) : undefined
  if (onPath !== undefined) return { path: onPath, kind: 'upstream' }
  return { missing: `${name} is not built (npm run servers) and ${overrides[name].join(' or ')} is not set` }
}

/** Like {@link locateServer}, for code that runs only where the program is there. */
export function requireServer(name: ServerName): LocatedServer {
  const located = locateServer(name)
  if ('missing' in located) throw new Error(located.missing)
  return located
}

/** The directory of one server's Go sources. */
export function sourceDirectory(name: ServerName): string {
  return join(import.meta.dirname, name)
}

/** `<name>-<16 hex of the sources>-<Go version>`: a change of either is another program. */
export function cachePath(name: ServerName, goVersion: string, env: Environment = process.env): string {
  return join(cacheRoot(env), `${name}-${sourceHash(name)}-${goVersion}`, name)
}

/** The version of the `go` on the PATH, such as `go1.26.8`, or undefined when there is none. */
export function readGoVersion(env: Environment = process.env): string | undefined {
  if (findOnPath('go', env) === undefined) return undefined
  try {
    return execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** Go's version is not asked for here: a cache that was carried to a machine without Go is as good. */
function cachedServer(name: ServerName, env: Environment): string | undefined {
  const root = cacheRoot(env)
  const prefix = `${name}-${sourceHash(name)}-`
  return directoryNames(root)
    .filter((entry) => entry.startsWith(prefix))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((entry) => join(root, entry, name))
    .find(isExecutable)
}

function sourceHash(name: ServerName): string {
  const hash = createHash('sha256')
  const files = readdirSync(sourceDirectory(name), { recursive: true, encoding: 'utf8' })
  const sources = files.filter((file) => /(^|\/)go\.(mod|sum)$|\.go$/.test(file))
  for (const file of sources.toSorted()) hash.update(readFileSync(join(sourceDirectory(name), file)))
  return hash.digest('hex').slice(0, 16)
}

function cacheRoot(env: Environment): string {
  return cacheDirectory('servers', env)
}

/** Where programs and images that take long to make are kept between runs, outside the project. */
export function cacheDirectory(kind: 'servers' | 'images', env: Environment = process.env): string {
  const own = env['CALICO_VAULT_AGENT_CACHE']
  const base = own || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'calico-vault-agent')
  return join(base, kind)
}

function directoryNames(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function findOnPath(program: string, env: Environment): string | undefined {
  const directories = (env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  return directories.map((directory) => join(directory, program)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Owns the KV secrets engine, versions 1 and 2. */
import { refusal, VaultFailure } from './failure.ts'
import { mapField } from './fields.ts'
import type { Backend, Call, LogicalAnswer, Route } from './logical.ts'
import type { State } from './state.ts'

interface Version {
  /** Undefined once it is destroyed. */
  data: object | undefined
  readonly createdAtMs: number
  deletedAtMs: number | undefined
}

const pathOf = ({ params }: Call): string => params['path'] ?? ''

export function createKvBackend(state: State, version: string): Backend {
  return { routes: version === '2' ? versionedRoutes(state) : plainRoutes() }
}

function plainRoutes(): Route[] {
  const secrets = new Map<string, object>()
  return [
    {
      path: '*path',
      read: (call) => {
        const data = secrets.get(pathOf(call))
        return data === undefined ? undefined : { data, topLevel: { lease_duration: 32 * 86_400 } }
      },
      list: (call) => listUnder(secrets.keys(), pathOf(call)),
      update: (call) => {
        if (Object.keys(call.data).length === 0) throw refusal('missing data fields')
        secrets.set(pathOf(call), call.data)
        return undefined
      },
      delete: (call) => void secrets.delete(pathOf(call)),
      exists: (call) => secrets.has(pathOf(call)),
    },
  ]
}

function versionedRoutes(state: State): Route[] {
  const secrets = new Map<string, Version[]>()
  const chosen = (call: Call): Version[] => {
    const numbers = call.data['versions']
    return (secrets.get(pathOf(call)) ?? []).filter(
      (_, index) => Array.isArray(numbers) && numbers.map(Number).includes(index + 1),
    )
  }
  const latest = (call: Call): Version | undefined => secrets.get(pathOf(call))?.at(-1)
  return [
    { path: 'config', read: () => ({ data: { cas_required: false, delete_version_after: '0s', max_versions: 0 } }) },
    {
      path: 'data/*path',
      read: (call) => readVersion(secrets.get(pathOf(call)) ?? []),
      update: (call) => {
        const versions = secrets.get(pathOf(call)) ?? []
        if (!('data' in call.data)) throw refusal('no data provided')
        const made: Version = { data: mapField(call.data, 'data'), createdAtMs: state.now(), deletedAtMs: undefined }
        secrets.set(pathOf(call), [...versions, made])
        return { data: metadataOf(made, versions.length + 1) }
      },
      delete: (call) => {
        const version = latest(call)
        if (version !== undefined) version.deletedAtMs = state.now()
        return undefined
      },
      exists: (call) => secrets.has(pathOf(call)),
    },
    {
      path: 'undelete/*path',
      update: (call) => {
        for (const version of chosen(call)) version.deletedAtMs = undefined
        return undefined
      },
    },
    {
      path: 'destroy/*path',
      update: (call) => {
        for (const version of chosen(call)) version.data = undefined
        return undefined
      },
    },
    { path: 'metadata', list: () => listUnder(secrets.keys(), '') },
    {
      path: 'metadata/*path',
      list: (call) => listUnder(secrets.keys(), pathOf(call)),
      delete: (call) => void secrets.delete(pathOf(call)),
    },
    { path: '*path', read: invalidPath, update: invalidPath, list: invalidPath, delete: invalidPath },
  ]
}

function readVersion(versions: readonly Version[]): LogicalAnswer | undefined {
  const version = versions.at(-1)
  if (version === undefined) return undefined
  const metadata = metadataOf(version, versions.length)
  return version.deletedAtMs === undefined && version.data !== undefined
    ? { data: { data: version.data, metadata } }
    : { status: 404, data: { data: null, metadata } }
}

function metadataOf(version: Version, number: number): object {
  return {
    created_time: new Date(version.createdAtMs).toISOString(),
    custom_metadata: null,
    deletion_time: version.deletedAtMs === undefined ? '' : new Date(version.deletedAtMs).toISOString(),
    destroyed: version.data === undefined,
    version: number,
  }
}

/** What a client that takes the mount for version 1 gets: 404 with a warning and no errors. */
function invalidPath(call: Call): LogicalAnswer {
  const text =
    'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use.'
  if (call.request.operation !== 'read' && call.request.operation !== 'list') throw new VaultFailure(404, '')
  return { status: 404, warnings: [`${text} If using the Vault CLI, use 'vault kv get' for this operation.`] }
}

function listUnder(paths: Iterable<string>, folder: string): LogicalAnswer | undefined {
  const prefix = folder === '' ? '' : `${folder}/`
  const names = [...paths].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length))
  const keys = new Set(names.map((name) => (name.includes('/') ? `${name.split('/')[0] ?? ''}/` : name)))
  return keys.size === 0 ? undefined : { data: { keys: [...keys].toSorted() } }
}

/** Owns `sys/auth` and `sys/mounts`: what can be mounted, where it is, and its lease times. */
import { createApproleBackend } from './auth-approle.ts'
import { createCertBackend } from './auth-cert.ts'
import { createJwtBackend } from './auth-jwt.ts'
import { createKubernetesBackend } from './auth-kubernetes.ts'
import { refusal } from './failure.ts'
import { durationField, mapField, textField } from './fields.ts'
import { createKvBackend } from './kv.ts'
import type { Backend, Call, Fields, LogicalAnswer, Mount, Route } from './logical.ts'
import { createPkiBackend } from './pki.ts'
import { addMount, findMount, leaseTtls, type State } from './state.ts'

interface Place {
  readonly path: string
  readonly options: Readonly<Record<string, unknown>>
}

type Factory = (state: State, place: Place) => Backend

const authMethods: Readonly<Record<string, Factory>> = {
  approle: createApproleBackend,
  cert: createCertBackend,
  jwt: createJwtBackend,
  kubernetes: createKubernetesBackend,
}

const secretsEngines: Readonly<Record<string, Factory>> = {
  kv: (state, { options }) => createKvBackend(state, textField(options, 'version', '1')),
  'kv-v2': (state) => createKvBackend(state, '2'),
  pki: (state, { path }) => createPkiBackend(state, () => leaseTtls(mountAt(state, path))),
}

export function mountRoutes(state: State): Route[] {
  return [...routesOf(state, 'auth', 'auth/', authMethods), ...routesOf(state, 'mounts', '', secretsEngines)]
}

function routesOf(state: State, name: string, prefix: string, factories: Readonly<Record<string, Factory>>): Route[] {
  const pathOf = ({ params }: Call): string => `${prefix}${params['path'] ?? ''}/`
  const isHere = (mount: Mount): boolean => mount.path.startsWith('auth/') === (prefix === 'auth/')
  return [
    { path: name, read: () => listMounts(state.mounts.filter(isHere), prefix) },
    {
      path: `${name}/:path/tune`,
      read: (call) => {
        const tuning = describeTuning(mountAt(state, pathOf(call)))
        return { data: tuning, topLevel: tuning }
      },
      update: (call) => {
        tune(mountAt(state, pathOf(call)), call.data)
        return undefined
      },
    },
    {
      path: `${name}/:path`,
      read: (call) => ({ data: describeMount(mountAt(state, pathOf(call))) }),
      update: (call) => {
        addMounted(state, pathOf(call), factories, call.data)
        return undefined
      },
      delete: (call) => {
        const found = state.mounts.findIndex((each) => each.path === pathOf(call))
        if (found !== -1) state.mounts.splice(found, 1)
        return undefined
      },
    },
  ]
}

function mountAt(state: State, path: string): Mount {
  const found = findMount(state, path)
  if (found === undefined || found.path !== path) throw refusal(`cannot fetch sysview for path "${path}"`)
  return found
}

function addMounted(state: State, path: string, factories: Readonly<Record<string, Factory>>, data: Fields): void {
  const type = textField(data, 'type')
  const factory = factories[type]
  if (type === '') throw refusal('backend type must be specified as a string')
  if (factory === undefined) throw refusal(`plugin not found in the catalog: ${type}`)
  if (state.mounts.some((each) => each.path === path)) throw refusal(`path is already in use at ${path}`)
  const options = mapField(data, 'options')
  const config = mapField(data, 'config')
  addMount(state, {
    path,
    type: type === 'kv-v2' ? 'kv' : type,
    description: textField(data, 'description'),
    options: type === 'kv-v2' ? { version: '2' } : (options as Record<string, string>),
    defaultLeaseTtlSeconds: durationField(config, 'default_lease_ttl'),
    maxLeaseTtlSeconds: durationField(config, 'max_lease_ttl'),
    backend: () => factory(state, { path, options }),
  })
}

function tune(mounted: Mount, data: Fields): void {
  mounted.defaultLeaseTtlSeconds = durationField(data, 'default_lease_ttl', mounted.defaultLeaseTtlSeconds)
  mounted.maxLeaseTtlSeconds = durationField(data, 'max_lease_ttl', mounted.maxLeaseTtlSeconds)
  mounted.description = textField(data, 'description', mounted.description)
}

function listMounts(mounts: readonly Mount[], prefix: string): LogicalAnswer {
  const table = Object.fromEntries(
    mounts.map((each) => [each.path.slice(prefix.length), describeMount(each)]),
  ) as object
  return { data: table, topLevel: table }
}

function describeMount(mounted: Mount): object {
  const { type, accessor, uuid, description, options } = mounted
  const config = {
    default_lease_ttl: mounted.defaultLeaseTtlSeconds,
    force_no_cache: false,
    max_lease_ttl: mounted.maxLeaseTtlSeconds,
  }
  return {
    accessor,
    config,
    description,
    external_entropy_access: false,
    local: false,
    options,
    seal_wrap: false,
    type,
    uuid,
  }
}

function describeTuning(mounted: Mount): object {
  const { defaultSeconds, maxSeconds } = leaseTtls(mounted)
  return {
    default_lease_ttl: defaultSeconds,
    max_lease_ttl: maxSeconds,
    description: mounted.description,
    force_no_cache: false,
  }
}

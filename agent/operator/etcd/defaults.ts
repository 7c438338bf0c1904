/**
 * Owns what a fresh datastore lacks: objects that calico-node makes at its first start, which the rights of one node do not
 * allow (docs/etcd.md, "What is withheld"). `provision` says what is missing, and with `--defaults` makes it, as Calico's own
 * first start does.
 * @see https://github.com/projectcalico/calico/blob/v3.32.1/node/pkg/lifecycle/startup/startup.go ensureDefaultConfig
 */
import type { WantedPool, WantedPools } from '../../config/calico-pools.ts'
import { type CalicoVersion, describeCalicoVersion, parseCalicoVersion } from '../../config/calico-version.ts'
import { ConfigError } from '../../core/errors.ts'
import { asObject, field, type JsonObject, parseJson } from '../../core/json.ts'
import type { EtcdAuthApi, StoredKey } from './api.ts'
import { resources } from './profile-table.ts'

/** What the datastore has of it; undefined if the object is not there. */
export interface FoundDefaults {
  readonly pools: readonly StoredKey[]
  readonly felix: StoredKey | undefined
  readonly bgp: StoredKey | undefined
  readonly ipam: StoredKey | undefined
  readonly cluster: StoredKey | undefined
}

export interface DefaultsWish {
  /** Of Calico; empty: any. */
  readonly versions: readonly CalicoVersion[]
  readonly strict: boolean
  /** Undefined without `--defaults`: then nothing is made. */
  readonly pools: WantedPools | undefined
}

/** One object to be made. */
export interface DefaultObject {
  readonly kind: 'IPPool' | 'FelixConfiguration' | 'BGPConfiguration'
  readonly name: string
  readonly spec: JsonObject
}

export interface DefaultsPlan {
  /** One sentence for each object that stays missing or incomplete. */
  readonly missing: readonly string[]
  readonly make: readonly DefaultObject[]
}

const plurals = {
  IPPool: 'ippools',
  FelixConfiguration: 'felixconfigurations',
  BGPConfiguration: 'bgpconfigurations',
} as const

const byDefaults = `calico-node with the rights of one node cannot make it and will not start; make it with provision apply --defaults, or with calicoctl`
const relaxed = 'run provision apply without --strict until one calico-node has started (docs/upgrade.md)'

export async function readDefaults(api: Pick<EtcdAuthApi, 'get' | 'list'>): Promise<FoundDefaults> {
  const [pools, felix, bgp, ipam, cluster] = await Promise.all([
    api.list(`${resources}ippools/`),
    ...['felixconfigurations', 'bgpconfigurations', 'ipamconfigurations', 'clusterinformations'].map((kind) =>
      api.get(`${resources}${kind}/default`),
    ),
  ])
  return { pools, felix, bgp, ipam, cluster }
}

/** @throws ConfigError if a pool is to be made and nobody says which */
export function planDefaults(found: FoundDefaults, wish: DefaultsWish): DefaultsPlan {
  const parts = [planPools(found, wish), planFelix(found, wish), planBgp(found, wish), planStrict(found, wish)]
  return { missing: parts.flatMap(({ missing = [] }) => missing), make: parts.flatMap(({ make = [] }) => make) }
}

type Part = Partial<DefaultsPlan>

function planPools({ pools }: FoundDefaults, { pools: wanted }: DefaultsWish): Part {
  const cidrs = pools.map(({ value }) => textOf(value, 'cidr'))
  const make = [
    ...poolToMake(wanted?.ipv4, (cidr) => cidr.includes('.'), cidrs),
    ...poolToMake(wanted?.ipv6, (cidr) => cidr.includes(':'), cidrs),
  ]
  if (pools.length > 0 || make.length > 0) return { make }
  if (wanted === undefined) return { missing: [`there is no IP pool: ${byDefaults}`] }
  if (wanted.ipv4 === undefined) {
    throw new ConfigError([
      'CALICO_IPV4POOL_CIDR is required: there is no IP pool, and --defaults must know which addresses pods get (none: no pool)',
    ])
  }
  return { missing: ['there is no IP pool, as you wish: calico-node needs NO_DEFAULT_POOLS=true to start'] }
}

function poolToMake(
  wanted: WantedPool,
  isOfFamily: (cidr: string) => boolean,
  cidrs: readonly string[],
): DefaultObject[] {
  // As calico-node: any pool of the family is enough.
  if (wanted === undefined || wanted === 'none' || cidrs.some(isOfFamily)) return []
  const { name, disableBGPExport, ...settings } = wanted
  const uses = { allowedUses: ['Workload', 'Tunnel'], assignmentMode: 'Automatic' }
  const spec = { ...settings, ...uses, ...(disableBGPExport && { disableBGPExport }) }
  return [{ kind: 'IPPool', name, spec }]
}

const felixSpec = { logSeverityScreen: 'Info', reportingInterval: '0s' } as const

function planFelix({ felix }: FoundDefaults, { pools }: DefaultsWish): Part {
  if (felix === undefined) return absent('FelixConfiguration', felixSpec, '', pools)
  const spec = specOf(felix.value)
  const lacking = Object.entries(felixSpec).filter(([name]) => spec[name] === undefined || spec[name] === null)
  if (lacking.length === 0) return {}
  const names = lacking.map(([name]) => name).join(' and ')
  // What exists is somebody else's, and is never written over.
  const patch = `calicoctl patch felixconfiguration default -p '${JSON.stringify({ spec: Object.fromEntries(lacking) })}'`
  return {
    missing: [
      `the FelixConfiguration "default" lacks ${names}: calico-node with the rights of one node cannot add that and will not start; add it with ${patch}`,
    ],
  }
}

function planBgp({ bgp }: FoundDefaults, { versions, pools }: DefaultsWish): Part {
  if (bgp !== undefined || !includesFrom(versions, '3.32')) return {}
  return absent('BGPConfiguration', {}, ', which Calico needs from v3.32', pools)
}

/** A default object that is not there: with `--defaults` it is made. */
function absent(kind: DefaultObject['kind'], spec: JsonObject, since: string, pools: WantedPools | undefined): Part {
  if (pools !== undefined) return { make: [{ kind, name: 'default', spec }] }
  return { missing: [`there is no ${kind} "default"${since}: ${byDefaults}`] }
}

/** What calico-node itself writes, but not with `--strict`. */
function planStrict({ cluster, ipam }: FoundDefaults, { versions, strict }: DefaultsWish): Part {
  if (!strict) return {}
  const missing: string[] = []
  // Nodes write it: never shown as it is.
  const written = parseCalicoVersion(textOf(cluster?.value ?? '', 'calicoVersion'))
  const other = versions.filter((version) => written !== version).map(describeCalicoVersion)
  if (written === undefined) {
    missing.push(
      `there is no ClusterInformation "default" with a version: with --strict no node can write it; ${relaxed}`,
    )
  } else if (other.length > 0) {
    missing.push(
      `the ClusterInformation "default" says ${describeCalicoVersion(written)}: with --strict a calico-node of ${other.join(', ')} cannot change that and will not start; ${relaxed}`,
    )
  }
  if (ipam === undefined && versions.length > 0 && includesFrom(versions, '3.33')) {
    missing.push(`there is no IPAMConfiguration "default": with --strict no node can make it; ${relaxed}`)
  }
  return { missing }
}

/** Whether any of the versions is this one or newer; without versions it may be. */
function includesFrom(versions: readonly CalicoVersion[], since: string): boolean {
  const first = parseCalicoVersion(since) ?? 0
  return versions.length === 0 || versions.some((version) => version >= first)
}

function specOf(json: string): JsonObject {
  return asObject(field(parseJson(json), 'spec')) ?? {}
}

function textOf(json: string, name: string): string {
  const value = specOf(json)[name]
  return typeof value === 'string' ? value : ''
}

export function keyOf({ kind, name }: DefaultObject): string {
  return `${resources}${plurals[kind]}/${name}`
}

/** Makes each object, unless somebody has made it meanwhile. Returns those that were made. */
export async function makeDefaults(
  api: Pick<EtcdAuthApi, 'create'>,
  objects: readonly DefaultObject[],
  { uid, nowMs }: { readonly uid: () => string; readonly nowMs: number },
): Promise<DefaultObject[]> {
  // Without fractions of a second, as Kubernetes writes it.
  const creationTimestamp = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const made: DefaultObject[] = []
  for (const object of objects) {
    const { kind, name, spec } = object
    const metadata = { name, uid: uid(), creationTimestamp }
    const value = JSON.stringify({ kind, apiVersion: 'projectcalico.org/v3', metadata, spec })
    if (await api.create(keyOf(object), value)) made.push(object)
  }
  return made
}

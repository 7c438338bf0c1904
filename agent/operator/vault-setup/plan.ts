/** Owns the difference between the setup and what Vault holds, as an ordered list of single writes. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Actual, Mount } from './actual.ts'
import { planCa } from './ca.ts'
import { type Change, type Difference, isEmpty, type PlanPart, type VaultPlan } from './changes.ts'
import { accessor, isOwnPolicy, resourcesOf } from './resources.ts'
import {
  attestsNodes,
  type Fields,
  FileRef,
  type FileTexts,
  labelOf,
  ownerMark,
  ownerOf,
  policyName,
  type Resource,
  type Setup,
} from './setup.ts'

export interface PlanOptions {
  /** Take over what `setup-vault` did not make. */
  readonly adopt: boolean
  /** Also write what Vault does not show, if nothing else differs. */
  readonly writeSecrets: boolean
}

/** Stands in a plan for what Vault gives to a mount that is not there yet. */
const unknownAccessor = '(known after apply)'

export function planSetup(setup: Setup, files: FileTexts, actual: Actual, options: PlanOptions): VaultPlan {
  const ca = planCa(setup, files, actual)
  const parts: readonly PlanPart[] = [
    { notes: notesOf(setup, actual) },
    planMount(setup, 'auth', options, actual.auth),
    planMount(setup, 'mounts', options, actual.pki),
    ca,
    planWrites(setup, files, actual, options),
  ]
  const refusals = parts.flatMap((part) => part.refusals ?? [])
  const changes = parts.flatMap((part) => part.changes ?? [])
  return {
    // One after the other: each may need those before it.
    phases: refusals.length > 0 ? [] : changes.map((change) => [change]),
    refusals,
    notes: parts.flatMap((part) => part.notes ?? []),
    waitsFor: ca.waitsFor,
  }
}

/** Whether a mount is there, of the right type, and ours (docs/adr/0010). */
function planMount(setup: Setup, table: 'auth' | 'mounts', { adopt }: PlanOptions, found: Mount | undefined): PlanPart {
  const { auth, pki } = setup
  const { mount, type, name, subject, otherWays } =
    table === 'auth'
      ? {
          mount: auth.mount,
          type: auth.method,
          name: `auth/${auth.mount}/`,
          subject: `auth method ${auth.mount}/`,
          otherWays: 'name another auth.mount',
        }
      : {
          mount: pki.mount,
          type: 'pki',
          name: `${pki.mount}/`,
          subject: `secrets engine ${pki.mount}/`,
          otherWays: 'name another pki.mount, say ca: existing to use it as it is',
        }
  const path = `sys/${table}/${mount}`
  const isExisting = table === 'mounts' && pki.ca.from === 'existing'
  const maxTtlSeconds = table === 'mounts' && pki.ca.from !== 'existing' ? pki.ca.ttlSeconds : undefined
  const owner = ownerOf(setup)
  if (found === undefined) {
    if (isExisting) {
      const why = `there is no ${name}, and pki.ca is existing; enable it with its CA, or say root or intermediate`
      return { refusals: [why] }
    }
    const config = maxTtlSeconds === undefined ? {} : { config: { max_lease_ttl: `${maxTtlSeconds}s` } }
    return { changes: [{ do: 'enable', path, subject, sign: '+', body: { type, description: owner, ...config } }] }
  }
  const { description } = found
  if (found.type !== type) {
    return { refusals: [`${name} is of the type ${found.type}, not ${type}; name another mount`] }
  }
  if (description !== owner && description.startsWith(ownerMark)) {
    const other = description.slice(ownerMark.length)
    // Also with --adopt: names of nodes repeat from cluster to cluster, and each etcd trusts all that its CA has signed.
    return { refusals: [`${name} belongs to the cluster ${other}; every cluster needs mounts of its own`] }
  }
  if (isExisting) return {}
  if (description !== owner && !adopt) {
    const said = description === '' ? 'has no description' : `says of itself ${JSON.stringify(description)}`
    return {
      refusals: [`${name} was not made by setup-vault (it ${said}); ${otherWays}, or take it over with --adopt`],
    }
  }
  const differences: Difference[] = []
  if (description !== owner) differences.push({ field: 'description', before: description, after: owner })
  // Raised, never lowered: whoever made it longer had a reason.
  if (maxTtlSeconds !== undefined && found.maxTtlSeconds < maxTtlSeconds) {
    differences.push({ field: 'max_lease_ttl', before: `${found.maxTtlSeconds}s`, after: `${maxTtlSeconds}s` })
  }
  if (differences.length === 0) return {}
  const body = Object.fromEntries(differences.map(({ field, after }) => [field, after]))
  return { changes: [{ do: 'tune', path: `${path}/tune`, subject, sign: '~', body, differences }] }
}

function planWrites(setup: Setup, files: FileTexts, actual: Actual, { adopt, writeSecrets }: PlanOptions): PlanPart {
  const changes: Change[] = []
  const refusals: string[] = []
  const notes: string[] = []
  for (const resource of resourcesOf(setup)) {
    const { path, subject, node, fields, ifKnown = [] } = resource
    const held = actual.held.get(path)
    const secrets = Object.keys(fields).filter((field) => isSecret(fields[field]))
    const body = fillIn(fields, files, actual.auth?.accessor ?? unknownAccessor)
    const found = differencesOf(body, held, writeSecrets ? ifKnown : [...ifKnown, ...secrets])
    if (found.length === 0) {
      if (secrets.length > 0)
        notes.push(`Vault does not show ${secrets.join(', ')} of ${path}; --write-secrets writes it again`)
    } else if (held !== undefined && !adopt && !isOwn(setup, resource, actual)) {
      const differing = found.map(({ field }) => field).join(', ')
      refusals.push(
        `${path} was not made by setup-vault and differs in ${differing}; look at it (vault read ${path}), then delete it or take it over with --adopt`,
      )
    } else {
      const differences = found.map((each) => (isSecret(fields[each.field]) ? { ...each, after: '(not shown)' } : each))
      changes.push({ do: 'write', path, subject, node, sign: held === undefined ? '+' : '~', body, differences })
    }
  }
  return { changes, refusals, notes }
}

/** The fields as Vault is given them. */
function fillIn(fields: Fields, files: FileTexts, knownAccessor: string): Fields {
  const fill = (_: string, value: unknown): unknown => {
    if (value instanceof FileRef) return files.get(value.name) ?? ''
    return typeof value === 'string' ? value.replaceAll(accessor, knownAccessor) : value
  }
  return JSON.parse(JSON.stringify(fields, fill)) as Fields
}

function isSecret(value: unknown): boolean {
  return value instanceof FileRef && value.kind === 'token'
}

/** In a mount that is ours everything is. In one that is not, a PKI role is ours if our policy for it is there already. */
function isOwn(setup: Setup, { kind, path }: Resource, { held, auth, pki }: Actual): boolean {
  if (kind === 'policy') return isOwnPolicy(held.get(path)?.['policy'], setup)
  if (kind !== 'pki-role') return auth?.description === ownerOf(setup)
  if (setup.pki.ca.from !== 'existing') return pki?.description === ownerOf(setup)
  const component = labelOf(path)
  return isOwnPolicy(held.get(`sys/policies/acl/${policyName(setup, component)}`)?.['policy'], setup, component)
}

/**
 * @param held undefined: there is nothing at the path
 * @param ifShown fields that are compared only if Vault shows them
 */
function differencesOf(wanted: Fields, held: Fields | undefined, ifShown: readonly string[]): Difference[] {
  const all = Object.entries(wanted).map(([field, after]) => ({ field, before: held?.[field], after }))
  if (held === undefined) return all
  return all.filter(
    ({ field, before, after }) => !(before === undefined && ifShown.includes(field)) && !isSame(before, after),
  )
}

/** Vault fills in defaults, trims texts and reorders lists: none of that is a difference. */
function isSame(before: unknown, after: unknown): boolean {
  if (isEmpty(after)) return isEmpty(before)
  return isDeepStrictEqual(normal(before), normal(after))
}

/** The order of a list means nothing here. */
function normal(value: unknown): unknown {
  if (typeof value === 'string') return value.trim()
  if (Array.isArray(value)) return value.map((each) => JSON.stringify(normal(each))).toSorted()
  return value
}

function notesOf(setup: Setup, { loginRoles }: Actual): string[] {
  const { auth, components } = setup
  const notes: string[] = []
  const perNode = components.filter((component) => component.perNode).map(({ name }) => name)
  if (perNode.length > 0 && !attestsNodes(auth)) {
    notes.push(
      `the method ${auth.method} does not tell nodes apart: a pod of ${perNode.join(' or ')} gets the name of any node that it asks for; jwt binds it (Kubernetes 1.30 and newer)`,
    )
  }
  const prefix = `auth/${auth.mount}/role/`
  const own = new Set(resourcesOf(setup).map(({ path }) => path.slice(prefix.length).toLowerCase()))
  const others = loginRoles.filter((name) => !own.has(name))
  if (others.length > 0) {
    notes.push(
      `auth/${auth.mount}/ also has the login roles ${others.join(', ')}, which this file does not name: a login there may take the alias of a node; delete them (vault delete ${prefix}${others[0] ?? ''}), or use a mount of its own`,
    )
  }
  return notes
}

/** Owns the difference between the setup and what Vault holds, as an ordered list of single writes. Pure. */
import type { Actual } from './actual.ts'
import { planCa } from './ca.ts'
import { type Change, type Difference, differences, type VaultPlan } from './changes.ts'
import { planMount } from './mounts.ts'
import { isOwnPolicy } from './policy.ts'
import { fillIn, resourcesOf, type Substitutes, signPath } from './resources.ts'
import { attestsNodes, type Fields, FileRef, ownerOf, policyName, type Resource, type Setup } from './setup.ts'

export interface PlanOptions {
  /** Take over what `setup-vault` did not make. */
  readonly adopt: boolean
  /** Also write what Vault does not show, if nothing else differs. */
  readonly writeSecrets: boolean
}

/** Stands in a plan for what Vault gives to a mount that is not there yet. */
export const unknownAccessor = '(known after apply)'

export function planSetup(setup: Setup, files: Substitutes['files'], actual: Actual, options: PlanOptions): VaultPlan {
  const auth = planMount(setup, 'auth', actual.auth, options.adopt)
  const pki = planMount(setup, 'mounts', actual.pki, options.adopt)
  const ca = planCa(setup, files, actual)
  const written = planWrites(setup, { accessor: actual.auth?.accessor ?? unknownAccessor, files }, actual, options)
  const refusals = [...auth.refusals, ...pki.refusals, ...ca.refusals, ...written.refusals]
  const notes = [...notesOf(setup, actual), ...ca.notes, ...written.notes]
  const changes = [...auth.changes, ...pki.changes, ...ca.changes, ...written.changes]
  // One after the other: each may need those before it.
  const phases = refusals.length > 0 ? [] : changes.map((change) => [change])
  return { phases, refusals, notes, waitsFor: ca.waits ? 'the certificate of the CA' : undefined }
}

function planWrites(setup: Setup, substitutes: Substitutes, actual: Actual, options: PlanOptions) {
  const changes: Change[] = []
  const refusals: string[] = []
  const notes: string[] = []
  for (const resource of resourcesOf(setup)) {
    const { path, fields, ifKnown = [] } = resource
    const held = actual.held.get(path)
    const secrets = secretFields(fields)
    const isIgnored = (field: string): boolean =>
      ifKnown.includes(field) || (secrets.has(field) && !options.writeSecrets)
    const body = fillIn(fields, substitutes)
    const found = differences(body, held, isIgnored)
    if (found.length === 0) {
      if (secrets.size > 0) notes.push(unseen(path, secrets))
      continue
    }
    if (held !== undefined && !options.adopt && !isOwn(setup, resource, actual)) {
      refusals.push(foreignResource(path, found))
    } else {
      const shown = found.map((each) => (secrets.has(each.field) ? { ...each, after: '(not shown)' } : each))
      changes.push({ do: 'write', resource, body, isNew: held === undefined, differences: shown })
    }
  }
  return { changes, refusals, notes }
}

/** In a mount that is ours everything is. In one that is not, a PKI role is ours if our policy for it is there already. */
function isOwn(setup: Setup, { kind, path }: Resource, { held, auth, pki }: Actual): boolean {
  const owner = ownerOf(setup)
  if (kind === 'policy') return isOwnPolicy(held.get(path)?.['policy'], owner)
  if (kind !== 'pki-role') return auth?.description === owner
  if (setup.pki.ca.from !== 'existing') return pki?.description === owner
  const component = path.slice(path.lastIndexOf('/') + 1)
  const policy = held.get(`sys/policies/acl/${policyName(setup, component)}`)?.['policy']
  return isOwnPolicy(policy, owner, signPath(setup, component))
}

function secretFields(fields: Fields): ReadonlySet<string> {
  const secret = Object.entries(fields).filter(([, value]) => value instanceof FileRef && value.isSecret)
  return new Set(secret.map(([field]) => field))
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

function foreignResource(path: string, found: readonly Difference[]): string {
  const fields = found.map(({ field }) => field).join(', ')
  return `${path} was not made by setup-vault and differs in ${fields}; look at it (vault read ${path}), then delete it or take it over with --adopt`
}

function unseen(path: string, secrets: ReadonlySet<string>): string {
  return `Vault does not show ${[...secrets].join(', ')} of ${path}; --write-secrets writes it again`
}

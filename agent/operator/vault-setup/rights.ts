/** Owns which rights the operator's token needs: for the policy that is handed out, and for saying which are missing. */
import { AgentError } from '../../core/errors.ts'
import type { VaultAdmin } from './actual.ts'
import { resourcesOf } from './resources.ts'
import { type Fields, type Setup } from './setup.ts'

export type Capability = 'create' | 'read' | 'update' | 'list' | 'sudo'

/** By path of Vault's API. */
export function neededRights(setup: Setup): ReadonlyMap<string, readonly Capability[]> {
  const { auth, pki } = setup
  const rights: [string, readonly Capability[]][] = [
    ['sys/auth', ['read']],
    // Vault guards what decides who may log in: sys/auth/* is a root path.
    [`sys/auth/${auth.mount}`, ['create', 'update', 'sudo']],
    [`sys/auth/${auth.mount}/tune`, ['create', 'update', 'sudo']],
    ['sys/mounts', ['read']],
    [`auth/${auth.mount}/role`, ['list']],
    [`${pki.mount}/config/issuers`, ['read']],
    [`${pki.mount}/issuers`, ['list']],
    [`${pki.mount}/keys`, ['list']],
  ]
  const { ca } = pki
  if (ca.from !== 'existing') {
    const making =
      ca.from === 'root'
        ? ['root/generate/internal']
        : ['intermediate/generate/internal', 'intermediate/generate/existing', 'intermediate/set-signed']
    for (const path of [`sys/mounts/${pki.mount}`, `sys/mounts/${pki.mount}/tune`])
      rights.push([path, ['create', 'update']])
    for (const path of making) rights.push([`${pki.mount}/${path}`, ['create', 'update']])
  }
  for (const { path } of resourcesOf(setup)) rights.push([path, ['create', 'read', 'update']])
  return new Map(rights)
}

/** Turns a refusal for want of rights into the list of all rights that are missing. Every other error stays as it is. */
export async function explainDenial(error: unknown, api: VaultAdmin, setup: Setup): Promise<unknown> {
  if (!(error instanceof AgentError) || error.code !== 'vault-denied') return error
  const rights = neededRights(setup)
  const held = await readCapabilities(api, [...rights.keys()])
  if (held === undefined) {
    return new AgentError('setup-denied', `${error.message}\nThe token is unknown, expired, or of another namespace.`)
  }
  const missing = [...rights].flatMap(([path, needed]) => {
    const has = held[path]
    const lacks = Array.isArray(has) && !has.includes('root') ? needed.filter((each) => !has.includes(each)) : []
    return lacks.length === 0 ? [] : [`it lacks ${lacks.join(', ')} on ${path}`]
  })
  return new AgentError('setup-denied', [error.message, ...missing].join('\n'))
}

/** Undefined where the token may not even ask about itself, which every token may. */
async function readCapabilities(api: VaultAdmin, paths: readonly string[]): Promise<Fields | undefined> {
  try {
    return await api.write('sys/capabilities-self', { paths })
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

/** Owns which rights the operator's token needs: for the policy that is handed out, and for saying which are missing. */
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { VaultAdmin } from './actual.ts'
import { resourcesOf } from './resources.ts'
import { type Fields, type Setup } from './setup.ts'

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo'

/** By path of Vault's API. */
export type Rights = ReadonlyMap<string, readonly Capability[]>

export function neededRights(setup: Setup): Rights {
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
export async function explainDenial(
  error: unknown,
  api: Pick<VaultAdmin, 'write'>,
  rights: Rights,
  code: ReasonCode = 'setup-denied',
): Promise<unknown> {
  if (!(error instanceof AgentError) || error.code !== 'vault-denied') return error
  const held = await readCapabilities(api, [...rights.keys()])
  if (held === undefined) {
    return new AgentError(code, `${error.message}\nThe token is unknown, expired, or of another namespace.`)
  }
  const missing = [...rights].flatMap(([path, needed]) => {
    const has = held[path]
    const lacks = Array.isArray(has) && !has.includes('root') ? needed.filter((each) => !has.includes(each)) : []
    return lacks.length === 0 ? [] : [`it lacks ${lacks.join(', ')} on ${path}`]
  })
  return new AgentError(code, [error.message, ...missing].join('\n'))
}

/** Undefined if the token may not even ask about itself, which every token may. */
async function readCapabilities(api: Pick<VaultAdmin, 'write'>, paths: readonly string[]): Promise<Fields | undefined> {
  try {
    return await api.write('sys/capabilities-self', { paths })
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

/** As HCL: a policy that gives these rights and no more. */
export function rightsPolicy(rights: Rights): string {
  return [...rights]
    .map(
      ([path, capabilities]) =>
        `path ${JSON.stringify(path)} {\n  capabilities = ${JSON.stringify(capabilities).replaceAll(',', ', ')}\n}\n`,
    )
    .join('')
}

/** Owns which rights the operator's token needs: for the policy that is handed out, and for saying which are missing. */
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { VaultAdmin } from './admin.ts'
import { resourcesOf } from './resources.ts'
import type { Fields, Setup } from './setup.ts'

type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo'

/** By path of Vault's API. */
export type Rights = Readonly<Record<string, readonly Capability[]>>

const write = ['create', 'update'] as const

export function neededRights(setup: Setup): Rights {
  const { auth, pki } = setup
  return {
    'sys/auth': ['read'],
    // Vault guards what decides who may log in: sys/auth/* is a root path.
    [`sys/auth/${auth.mount}`]: ['create', 'update', 'sudo'],
    [`sys/auth/${auth.mount}/tune`]: ['create', 'update', 'sudo'],
    'sys/mounts': ['read'],
    [`auth/${auth.mount}/role`]: ['list'],
    [`${pki.mount}/config/issuers`]: ['read'],
    [`${pki.mount}/issuers`]: ['list'],
    [`${pki.mount}/keys`]: ['list'],
    ...(pki.ca.from !== 'existing' && { [`sys/mounts/${pki.mount}`]: write, [`sys/mounts/${pki.mount}/tune`]: write }),
    ...(pki.ca.from === 'root' && { [`${pki.mount}/root/generate/internal`]: write }),
    ...(pki.ca.from === 'intermediate' && {
      [`${pki.mount}/intermediate/generate/internal`]: write,
      [`${pki.mount}/intermediate/generate/existing`]: write,
      [`${pki.mount}/intermediate/set-signed`]: write,
    }),
    ...Object.fromEntries(resourcesOf(setup).map(({ path }) => [path, ['create', 'read', 'update'] as const])),
  }
}

/** Turns a refusal for want of rights into the list of all rights that are missing. Every other error stays as it is. */
export async function explainDenial(
  error: unknown,
  api: VaultAdmin,
  rights: Rights,
  code: ReasonCode = 'setup-denied',
): Promise<unknown> {
  if (!(error instanceof AgentError) || error.code !== 'vault-denied') return error
  const held = await readCapabilities(api, Object.keys(rights))
  if (held === undefined) {
    return new AgentError(code, `${error.message}\nThe token is unknown, expired, or of another namespace.`)
  }
  const missing = Object.entries(rights).flatMap(([path, needed]) => {
    const has = held[path]
    const lacks = Array.isArray(has) && !has.includes('root') ? needed.filter((each) => !has.includes(each)) : []
    return lacks.length === 0 ? [] : [`it lacks ${lacks.join(', ')} on ${path}`]
  })
  return new AgentError(code, [error.message, ...missing].join('\n'))
}

/** Undefined if the token may not even ask about itself, which every token may. */
async function readCapabilities(api: VaultAdmin, paths: readonly string[]): Promise<Fields | undefined> {
  try {
    return await api.write('sys/capabilities-self', { paths })
  } catch (error) {
    if (error instanceof AgentError) return undefined
    throw error
  }
}

/** As HCL: a policy that gives these rights and no more. */
export function rightsPolicy(rights: Rights): string {
  return Object.entries(rights)
    .map(
      ([path, capabilities]) =>
        `path ${JSON.stringify(path)} {\n  capabilities = ${JSON.stringify(capabilities).replaceAll(',', ', ')}\n}\n`,
    )
    .join('')
}

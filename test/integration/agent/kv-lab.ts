/** Owns the KV engines of the tests: mounts of both versions, and a login whose token reads the secrets of its own node only. */
import type { Lab } from './lab.ts'

export interface Engine {
  readonly version: '1' | '2'
  readonly mount: string
}

export const engines: readonly Engine[] = [
  { version: '2', mount: 'kv2' },
  { version: '1', mount: 'kv1' },
]

export async function setUpKv({ api }: Lab): Promise<void> {
  const { body } = await api.root('GET', 'sys/auth')
  const { accessor = '' } = (body.data?.['jwt/'] ?? {}) as { accessor?: string }
  const own = `calico/{{identity.entity.aliases.${accessor}.name}}/*`
  const readable = engines.map((engine) => pathIn(engine, own))
  const policy = { path: Object.fromEntries(readable.map((path) => [path, { capabilities: ['read'] }])) }
  await api.root('PUT', 'sys/policies/acl/calico-kv', { policy: JSON.stringify(policy) })
  const { body: role } = await api.root('GET', 'auth/jwt/role/calico-node')
  await api.root('POST', 'auth/jwt/role/calico-kv', { ...role.data, token_policies: ['calico-kv'] })
  for (const { mount, version } of engines) {
    await api.root('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version } })
  }
}

export function pathIn({ mount, version }: Engine, path: string): string {
  return `${mount}/${version === '2' ? 'data/' : ''}${path}`
}

/** A new mount of version 2 says for a moment that it is being upgraded. */
export async function writeKv({ vault, api }: Lab, engine: Engine, path: string, fields: object): Promise<void> {
  const body = engine.version === '2' ? { data: fields } : fields
  for (;;) {
    const { status, text } = await api.call('POST', pathIn(engine, path), body, { token: vault.rootToken })
    if (status < 300) return
    if (!text.includes('Upgrading from non-versioned to versioned data')) throw new Error(`${path}: ${status} ${text}`)
  }
}

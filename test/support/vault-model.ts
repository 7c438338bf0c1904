/** Owns a model of what `setup-vault` writes to and reads back of Vault, small and fast enough for thousands of states. */
import { AgentError } from '../../agent/core/errors.ts'
import type { VaultAdmin } from '../../agent/operator/vault-setup/admin.ts'

type Fields = Readonly<Record<string, unknown>>

export interface VaultModel extends VaultAdmin {
  /** What stands at each path: mounts at `sys/auth/NAME` and `sys/mounts/NAME`, the rest as it was written. */
  readonly content: Map<string, Fields>
  readonly writes: string[]
}

export function createVaultModel(content = new Map<string, Fields>()): VaultModel {
  const writes: string[] = []
  const below = (prefix: string): [string, Fields][] =>
    [...content]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, fields]) => [path.slice(prefix.length), fields])
  const refused = (text: string): AgentError => new AgentError('vault-request-refused', text)
  const mountOf = (path: string): string => path.split('/', 1)[0] ?? ''

  function enable(path: string, body: Fields): void {
    if (content.has(path)) throw refused(`path is already in use at ${path}`)
    const { type, description, config } = body
    content.set(path, { type, description, accessor: `acc_${content.size}`, config: seconds((config ?? {}) as Fields) })
  }

  function tune(path: string, { max_lease_ttl: ttl, description }: Fields): void {
    const mount = content.get(path)
    if (mount === undefined) throw refused(`no mount at ${path}`)
    content.set(path, {
      ...mount,
      ...(description === undefined ? {} : { description }),
      ...(ttl === undefined ? {} : { config: seconds({ max_lease_ttl: ttl }) }),
    })
  }

  return {
    content,
    writes,
    async read(path) {
      await Promise.resolve()
      if (path === 'sys/auth' || path === 'sys/mounts') {
        return Object.fromEntries(below(`${path}/`).map(([name, fields]) => [`${name}/`, fields]))
      }
      if (path.endsWith('?list=true')) {
        const names = below(path.replace(/\?list=true$/, '/')).map(([name]) => name)
        const info = names.map((name) => [name, { key_name: name }])
        return names.length === 0 ? undefined : { keys: names, key_info: Object.fromEntries(info) as object }
      }
      if (path.endsWith('/config/issuers')) return { default: below(`${mountOf(path)}/issuers/`)[0]?.[0] ?? '' }
      return content.get(path)
    },
    async write(path, body) {
      await Promise.resolve()
      writes.push(path)
      const mount = mountOf(path)
      if (/^sys\/(auth|mounts)\/[^/]+$/.test(path)) enable(path, body)
      else if (path.endsWith('/tune')) tune(path.replace(/\/tune$/, ''), body)
      else if (path.endsWith('/root/generate/internal')) {
        if (content.has(`${mount}/issuers/root`)) throw refused('issuer name already in use')
        content.set(`${mount}/issuers/root`, body)
      } else if (path.endsWith('/intermediate/generate/internal')) content.set(`${mount}/keys/calico-vault-agent`, body)
      else if (path.endsWith('/intermediate/generate/existing')) return { csr: 'request' }
      else content.set(path, body)
      return undefined
    },
  }
}

/** Dies at a call; calls after that are never made. */
export function dyingAtWrite(model: VaultModel, at: number, when: 'before' | 'after'): VaultAdmin {
  let writes = 0
  return {
    read: (path) => model.read(path),
    async write(path, body) {
      const dies = ++writes === at
      if (dies && when === 'before') throw new Error('killed')
      const answer = await model.write(path, body)
      if (dies) throw new Error('killed')
      return answer
    },
  }
}

function seconds(config: Fields): Fields {
  const ttl = config['max_lease_ttl']
  return typeof ttl === 'string' ? { max_lease_ttl: Number(ttl.replace('s', '')) } : {}
}

/** Owns reading what Vault holds of that which the setup is about. Below a mount that is not there, nothing is asked. */
import { asObject } from '../../core/json.ts'
import { type Resource, type Setup } from './setup.ts'

/** Vault as an administrator sees it. Every call throws AgentError. */
export interface VaultAdmin {
  /** `data` of the answer; undefined if there is nothing at this path. */
  read(path: string): Promise<Fields | undefined>
  write(path: string, body: Fields): Promise<Fields | undefined>
}

type Fields = Readonly<Record<string, unknown>>

export interface Mount {
  readonly type: string
  readonly description: string
  readonly accessor: string
  /** 0: the server's own. */
  readonly maxTtlSeconds: number
}

export interface CaState {
  readonly issuers: number
  readonly hasDefault: boolean
  /** A key that waits for its certificate, or has it. */
  readonly hasKey: boolean
}

export interface Actual {
  readonly auth: Mount | undefined
  readonly pki: Mount | undefined
  readonly ca: CaState
  /** By path; what is not there is not in it. */
  readonly held: ReadonlyMap<string, Fields>
  /** Names of all login roles of the auth mount. */
  readonly loginRoles: readonly string[]
}

/** Of the intermediate's key, by which it is found again. */
export const keyName = 'calico-vault-agent'

export async function readActual(
  api: VaultAdmin,
  { auth, pki }: Setup,
  resources: readonly Resource[],
): Promise<Actual> {
  const authMount = mountOf(await api.read('sys/auth'), auth.mount)
  const pkiMount = mountOf(await api.read('sys/mounts'), pki.mount)
  const held = new Map<string, Fields>()
  for (const { path } of resources) {
    const isBelow = (mount: string): boolean => path.startsWith(`${mount}/`)
    if (isBelow(`auth/${auth.mount}`) ? authMount === undefined : isBelow(pki.mount) && pkiMount === undefined) continue
    const found = await api.read(path)
    if (found !== undefined) held.set(path, found)
  }
  const loginRoles = authMount?.type === auth.method ? await api.read(`auth/${auth.mount}/role?list=true`) : undefined
  return {
    auth: authMount,
    pki: pkiMount,
    ca: pkiMount?.type === 'pki' ? await readCa(api, pki.mount) : { issuers: 0, hasDefault: false, hasKey: false },
    held,
    loginRoles: textsOf(loginRoles?.['keys']),
  }
}

async function readCa(api: VaultAdmin, mount: string): Promise<CaState> {
  const issuers = await api.read(`${mount}/issuers?list=true`)
  const keys = await api.read(`${mount}/keys?list=true`)
  const config = await api.read(`${mount}/config/issuers`)
  const named = Object.values(fieldsOf(keys?.['key_info'])).map((info) => fieldsOf(info)['key_name'])
  const chosen = config?.['default']
  return {
    issuers: textsOf(issuers?.['keys']).length,
    hasDefault: typeof chosen === 'string' && chosen !== '',
    hasKey: named.includes(keyName),
  }
}

function mountOf(table: Fields | undefined, path: string): Mount | undefined {
  const found = table?.[`${path}/`]
  if (found === undefined) return undefined
  const { type, description, accessor, config } = fieldsOf(found)
  return {
    type: textOf(type),
    description: textOf(description),
    accessor: textOf(accessor),
    maxTtlSeconds: Number(fieldsOf(config)['max_lease_ttl'] ?? 0),
  }
}

function fieldsOf(value: unknown): Fields {
  return asObject(value) ?? {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

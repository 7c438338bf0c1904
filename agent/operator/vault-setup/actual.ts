/** Owns reading what Vault holds of what the setup is about. It asks nothing below a mount that is not there. */
import { field } from '../../core/json.ts'
import { listAt, textOf, type VaultAdmin } from './admin.ts'
import { resourcesOf } from './resources.ts'
import { type Fields, keyName, type Setup } from './setup.ts'

export interface Mount {
  readonly type: string
  readonly description: string
  readonly accessor: string
  /** 0: the server's own. */
  readonly maxTtlSeconds: number
}

export interface Actual {
  readonly auth: Mount | undefined
  readonly pki: Mount | undefined
  readonly ca: {
    readonly hasIssuers: boolean
    readonly hasDefault: boolean
    /** A key that waits for its certificate, or has it. */
    readonly hasKey: boolean
  }
  /** By path. A path that holds nothing is not in it. */
  readonly held: ReadonlyMap<string, Fields>
  /** Names of all login roles of the auth mount. */
  readonly loginRoles: readonly string[]
}

export async function readActual(api: VaultAdmin, setup: Setup): Promise<Actual> {
  const { auth, pki } = setup
  const authMount = mountOf(await api.read('sys/auth'), auth.mount)
  const pkiMount = mountOf(await api.read('sys/mounts'), pki.mount)
  const isAbsent = (path: string): boolean =>
    (authMount === undefined && path.startsWith(`auth/${auth.mount}/`)) ||
    (pkiMount === undefined && path.startsWith(`${pki.mount}/`))
  const held = new Map<string, Fields>()
  for (const { path } of resourcesOf(setup)) {
    if (isAbsent(path)) continue
    const found = await api.read(path)
    if (found !== undefined) held.set(path, found)
  }
  return {
    auth: authMount,
    pki: pkiMount,
    held,
    loginRoles: authMount?.type === auth.method ? await listAt(api, `auth/${auth.mount}/role`) : [],
    ca:
      pkiMount?.type === 'pki' ? await readCa(api, pki.mount) : { hasIssuers: false, hasDefault: false, hasKey: false },
  }
}

async function readCa(api: VaultAdmin, mount: string): Promise<Actual['ca']> {
  const issuers = await listAt(api, `${mount}/issuers`)
  const keys = await api.read(`${mount}/keys?list=true`)
  const config = await api.read(`${mount}/config/issuers`)
  const infos = Object.values(keys?.['key_info'] ?? {}) as unknown[]
  return {
    hasIssuers: issuers.length > 0,
    hasDefault: textOf(config?.['default']) !== '',
    hasKey: infos.some((info) => field(info, 'key_name') === keyName),
  }
}

function mountOf(table: Fields | undefined, path: string): Mount | undefined {
  const found = table?.[`${path}/`]
  if (found === undefined) return undefined
  return {
    type: textOf(field(found, 'type')),
    description: textOf(field(found, 'description')),
    accessor: textOf(field(found, 'accessor')),
    maxTtlSeconds: Number(field(field(found, 'config'), 'max_lease_ttl') ?? 0),
  }
}

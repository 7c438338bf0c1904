/** Owns what `setup-vault` is asked for: the words of its file once they are read, and the names that follow from them. */
import type { KeyType } from '../../pki/key.ts'

export interface Setup {
  readonly cluster: string
  readonly auth: Auth
  readonly pki: Pki
  readonly components: readonly ComponentSetup[]
}

interface AuthBase {
  readonly mount: string
  /** Lifetime of a login's token. */
  readonly tokenTtlSeconds: number
}

export interface JwtAuth extends AuthBase {
  readonly method: 'jwt'
  readonly issuer: string
  readonly audience: string
  /** Whose keys tokens are checked with. */
  readonly keys: { readonly url: string; readonly ca: FileRef | undefined } | { readonly files: readonly FileRef[] }
}

export interface KubernetesAuth extends AuthBase {
  readonly method: 'kubernetes'
  readonly audience: string
  readonly url: string
  readonly ca: FileRef | undefined
  /** Absent: Vault runs in the cluster and asks with its own service account. */
  readonly reviewerToken: FileRef | undefined
}

export interface ApproleAuth extends AuthBase {
  readonly method: 'approle'
  /** Machines: each gets a role whose role id is its name. */
  readonly nodes: readonly string[]
}

export type Auth = JwtAuth | KubernetesAuth | ApproleAuth

export interface Pki {
  readonly mount: string
  readonly keyType: KeyType
  readonly ca: Ca
}

/** Where the mount's signing certificate comes from. */
type Ca = OwnCa | { readonly from: 'existing' }

export interface OwnCa {
  readonly from: 'root' | 'intermediate'
  readonly commonName: string
  readonly ttlSeconds: number
  /** The signed one, of an intermediate. */
  readonly certificate: FileRef | undefined
}

export interface ComponentSetup {
  readonly name: string
  /** Its common name is `NAME:NODE`, and not just `NAME`. */
  readonly perNode: boolean
  /** Whose login may sign for it: its own name, or that of the component whose agent serves it too. */
  readonly login: string
  readonly namespace: string
  readonly serviceAccount: string
  /** Glob of the names of its pods. */
  readonly pods: string
  readonly ttlSeconds: number
}

/** A file that is named in the setup: its text is put in when Vault is asked, and its name when the setup is exported. */
export class FileRef {
  /** As it is written in the setup. */
  readonly name: string
  /** What it holds. Vault never shows a token again. */
  readonly kind: 'certificates' | 'key' | 'token'

  constructor(name: string, kind: FileRef['kind']) {
    this.name = name
    this.kind = kind
  }
}

/** The texts of such files, by their names. */
export type FileTexts = ReadonlyMap<string, string>

/** What the mounts that are ours say of themselves, and the first line of our policies: see docs/adr/0010. */
export const ownerMark = 'calico-vault-agent setup-vault: cluster '

export function ownerOf({ cluster }: Pick<Setup, 'cluster'>): string {
  return `${ownerMark}${cluster}`
}

/** Of the intermediate's key, by which it is found again. */
export const keyName = 'calico-vault-agent'

/** Policies have one name space for all clusters of a Vault. */
export function policyName({ cluster }: Pick<Setup, 'cluster'>, component: string): string {
  return `calico-vault-agent-${cluster}-${component}`
}

/** Whether a login proves on which node it is. With `kubernetes` it does not: Vault never hears of the node. */
export function attestsNodes({ method }: Auth): boolean {
  return method !== 'kubernetes'
}

/** The logins, each with the components that it may sign for. */
export function loginsOf({
  components,
}: Pick<Setup, 'components'>): ReadonlyMap<ComponentSetup, readonly ComponentSetup[]> {
  const own = components.filter(({ name, login }) => login === name)
  return new Map(own.map((each) => [each, components.filter(({ login }) => login === each.name)]))
}

/** JSON, in which a `FileRef` stands for the text of a file, and `accessor` in a text for the accessor of the auth mount. */
export type Fields = Readonly<Record<string, unknown>>

export interface Resource {
  readonly kind: 'policy' | 'pki-role' | 'auth-config' | 'login-role' | 'role-id'
  /** What people read, such as `policy NAME`. */
  readonly subject: string
  /** In Vault's API, without `/v1/`. */
  readonly path: string
  readonly fields: Fields
  /** Fields that only some servers know (OpenBao); if one is not shown, it is not missed. */
  readonly ifKnown?: readonly string[]
  /** The machine that it is for, if each has one. */
  readonly node?: string
}

/** The last part of a path: the name of a policy, a role or a login. */
export function labelOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The forms in which a setup leaves the program. Here, so that the help of every command loads no more than their names. */
export const exportFormats = ['shell', 'terraform', 'hcl', 'json', 'env', 'operator'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Owns the words of Vault's inside: what a request is once HTTP is taken off it, what a backend is, and what it answers. */
import type { X509Certificate } from 'node:crypto'
import type { TokenEntry } from './tokens.ts'

export type Operation = 'read' | 'list' | 'create' | 'update' | 'delete'
export type Fields = Readonly<Record<string, unknown>>

export interface LogicalRequest {
  readonly operation: Operation
  /** Without `/v1/` and the query. */
  readonly path: string
  readonly data: Fields
  readonly clientToken: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly peerCertificate: X509Certificate | undefined
}

/** What a handler is given: the request, who sent it, and the parts of the path that its route names. */
export interface Call {
  readonly request: LogicalRequest
  readonly data: Fields
  /** Undefined on unauthenticated paths. */
  readonly token: TokenEntry | undefined
  readonly params: Readonly<Record<string, string>>
}

/** What a login proves; the core makes the token of it. */
export interface LoginGrant {
  readonly alias?: { readonly name: string; readonly metadata: Readonly<Record<string, string>> }
  readonly displayName: string
  readonly metadata: Readonly<Record<string, string>>
  readonly token: TokenSettings
}

/** The `token_*` fields that all auth roles share. */
export interface TokenSettings {
  readonly policies: readonly string[]
  readonly noDefaultPolicy: boolean
  readonly ttlSeconds: number
  readonly maxTtlSeconds: number
  readonly explicitMaxTtlSeconds: number
  readonly periodSeconds: number
  readonly numUses: number
  readonly type: 'service' | 'batch'
}

export interface LogicalAnswer {
  readonly status?: number
  readonly data?: object
  /** Finished `auth` block (the token backend only). */
  readonly auth?: object
  readonly grant?: LoginGrant
  readonly warnings?: readonly string[]
  /** Members beside `data`, as `sys/` answers have them. */
  readonly topLevel?: object
  /** A body that is not JSON. */
  readonly raw?: { readonly contentType: string; readonly body: string | Buffer }
}

export type Handler = (call: Call) => LogicalAnswer | undefined | Promise<LogicalAnswer | undefined>

export interface Route {
  /** Segments; `:name` is any one segment, `*name` the rest. */
  readonly path: string
  /** `list`: only lists are. */
  readonly isUnauthenticated?: boolean | 'list'
  readonly read?: Handler
  readonly list?: Handler
  readonly update?: Handler
  readonly delete?: Handler
  /** Tells creates from updates, for policies. Without it every write is an update. */
  readonly exists?: (call: Call) => boolean
}

export interface Backend {
  readonly routes: readonly Route[]
}

export interface Mount {
  /** With a trailing slash: `pki/`, `auth/jwt/`. */
  readonly path: string
  readonly type: string
  readonly accessor: string
  readonly uuid: string
  readonly options: Readonly<Record<string, string>> | null
  /** May be tuned, with what follows. */
  description: string
  defaultLeaseTtlSeconds: number
  maxLeaseTtlSeconds: number
  readonly backend: Backend
}

/** Finds the route of a path inside a mount. */
export function matchRoute(
  routes: readonly Route[],
  path: string,
): { route: Route; params: Record<string, string> } | undefined {
  const segments = path.replace(/\/$/, '').split('/')
  for (const route of routes) {
    const params = matchSegments(route.path.split('/'), segments)
    if (params !== undefined) return { route, params }
  }
  return undefined
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    if (part.startsWith('*')) {
      params[part.slice(1)] = segments.slice(index).join('/')
      return segments.length > index ? params : undefined
    }
    const segment = segments[index]
    if (segment === undefined) return undefined
    if (part.startsWith(':')) params[part.slice(1)] = segment
    else if (part !== segment) return undefined
  }
  return pattern.length === segments.length ? params : undefined
}

/**
 * Owns the way of a request through the development Vault, in Vault's order: seal, quota, token, policy, mount, route, answer.
 * @see https://github.com/hashicorp/vault/blob/v1.13.1/vault/request_handling.go
 */
import { randomUUID } from 'node:crypto'
import {
  denied,
  errorTexts,
  refusal,
  tokenDenied,
  unsupportedOperation,
  unsupportedPath,
  VaultFailure,
} from './failure.ts'
import { hasTemplate } from './identity.ts'
import { inlineLogin } from './inline-auth.ts'
import { type Backend, type LogicalAnswer, type LogicalRequest, type Mount, matchRoute, type Route } from './logical.ts'
import { grantToken } from './login.ts'
import { isAllowed, type PathRule, parsePolicy } from './policies.ts'
import { findMount, type State } from './state.ts'
import type { TokenEntry } from './tokens.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. Absent: no body. */
  readonly json?: object
  readonly raw?: { readonly contentType: string; readonly body: string | Buffer }
}

export async function handleRequest(state: State, request: LogicalRequest, client: string): Promise<HttpAnswer> {
  const quota = state.quotas.decide(request.path, client)
  if (!quota.isAllowed) {
    const text = `request path "${request.path}": rate limit quota exceeded`
    return { status: 429, headers: quota.headers, json: { errors: [text] } }
  }
  const answer = await answerTo(state, request)
  return { ...answer, headers: { ...quota.headers, ...answer.headers } }
}

async function answerTo(state: State, request: LogicalRequest): Promise<HttpAnswer> {
  if (state.isSealed && !/^sys\/(unseal|seal-status|health)$/.test(request.path)) {
    return { status: 503, json: { errors: ['Vault is sealed'] } }
  }
  const mount = findMount(state, request.path)
  const match =
    mount === undefined ? undefined : matchRoute(mount.backend.routes, request.path.slice(mount.path.length))
  const openTo = match?.route.isUnauthenticated
  const isUnauthenticated = openTo === 'list' ? request.operation === 'list' : openTo === true
  try {
    if (request.path.endsWith('/') && request.operation === 'update')
      throw refusal("cannot write to a path ending in '/'")
    if (isUnauthenticated) return await route(state, request, mount, match, undefined)
    const inline = await inlineLogin(state, request, async (login) => await answerTo(state, login))
    if (inline !== undefined && 'status' in inline) return inline
    const authorized = authorize(state, request, inline?.token ?? state.tokens.find(request.clientToken), match)
    return await route(state, authorized.request, mount, match, authorized.token)
  } catch (error) {
    if (!(error instanceof VaultFailure)) throw error
    const body = {
      errors: errorTexts(error, !isUnauthenticated),
      ...(error.data === undefined ? {} : { data: error.data }),
    }
    return { status: error.status, json: error.data !== undefined && error.message === '' ? error.data : body }
  }
}

type Match = ReturnType<typeof matchRoute>

function authorize(
  state: State,
  request: LogicalRequest,
  token: TokenEntry | undefined,
  match: Match,
): { request: LogicalRequest; token: TokenEntry } {
  if (token === undefined) throw tokenDenied()
  state.tokens.use(token)
  const call = { request, data: request.data, token, params: match?.params ?? {} }
  const isCreate = request.operation === 'update' && match?.route.exists?.(call) === false
  const asked: LogicalRequest = isCreate ? { ...request, operation: 'create' } : request
  if (!token.policies.includes('root') && !isAllowed(rulesOf(state, token), asked)) throw denied()
  return { request: asked, token }
}

function rulesOf(state: State, token: TokenEntry): PathRule[] {
  return token.policies.flatMap((name) => {
    const text = state.policies.get(name)
    if (text === undefined) return []
    return parsePolicy(text).flatMap((rule) => {
      if (!hasTemplate(rule.path)) return [rule]
      const path = state.identities.fill(rule.path, token.entityId)
      return path === undefined ? [] : [{ ...rule, path }]
    })
  })
}

async function route(
  state: State,
  request: LogicalRequest,
  mount: Mount | undefined,
  match: Match,
  token: TokenEntry | undefined,
): Promise<HttpAnswer> {
  if (mount === undefined) {
    throw new VaultFailure(404, `no handler for route "${request.path}". route entry not found.`)
  }
  if (match === undefined) throw unsupportedPath()
  const handler = handlerOf(match.route, request)
  if (handler === undefined) throw unsupportedOperation()
  const answer = await handler({ request, data: request.data, token, params: match.params })
  if (answer?.grant === undefined) return envelope(request, answer)
  const login = grantToken(state, mount, request.path, answer.grant)
  return envelope(request, { ...answer, auth: login.auth, warnings: [...(answer.warnings ?? []), ...login.warnings] })
}

function handlerOf(found: Route, { operation }: LogicalRequest): Backend['routes'][number]['read'] {
  return operation === 'create' ? found.update : found[operation]
}

function envelope(request: LogicalRequest, answer: LogicalAnswer | undefined): HttpAnswer {
  if (answer?.raw !== undefined) return { status: answer.status ?? 200, raw: answer.raw }
  if (answer === undefined) {
    const isRead = request.operation === 'read' || request.operation === 'list'
    return isRead ? { status: 404, json: { errors: [] } } : { status: 204 }
  }
  const { warnings = [], data = null, auth = null } = answer
  const json = {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: null,
    warnings: warnings.length === 0 ? null : warnings,
    auth,
    ...answer.topLevel,
  }
  return { status: answer.status ?? 200, json }
}

/**
 * Owns inline authentication (OpenBao 2.4 and newer): a login in the headers of another request. HashiCorp Vault ignores the
 * headers, and so does this server unless its flavour is OpenBao.
 * @see https://openbao.org/docs/concepts/auth/#inline-authentication
 */
import { refusal } from './failure.ts'
import type { Fields, LogicalRequest } from './logical.ts'
import type { HttpAnswer } from './router.ts'
import type { State } from './state.ts'
import type { TokenEntry } from './tokens.ts'

const prefix = 'x-vault-inline-auth-'

/** The token of the inline login, the answer to a failed one, or undefined when there is none. */
export async function inlineLogin(
  state: State,
  request: LogicalRequest,
  answerTo: (login: LogicalRequest) => Promise<HttpAnswer>,
): Promise<{ token: TokenEntry | undefined } | HttpAnswer | undefined> {
  const path = request.headers[`${prefix}path`]
  if (state.flavour !== 'openbao' || typeof path !== 'string') return undefined
  const operation = request.headers[`${prefix}operation`] ?? 'update'
  if (operation !== 'update') throw refusal(`unsupported inline auth operation: ${String(operation)}`)
  const login: LogicalRequest = {
    ...request,
    operation: 'update',
    path,
    clientToken: '',
    headers: {},
    data: parameters(request),
  }
  const answer = await answerTo(login)
  if (answer.status !== 200) return { ...answer, headers: { ...answer.headers, 'X-Vault-Inline-Auth-Failed': 'true' } }
  const { auth } = answer.json as { auth: { client_token: string } }
  return { token: state.tokens.find(auth.client_token) }
}

/** Each is base64url of `{"key": …, "value": …}`: header names have no case, keys do. */
function parameters({ headers }: LogicalRequest): Fields {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(`${prefix}parameter-`) || typeof value !== 'string') continue
    try {
      const { key, value: content } = JSON.parse(Buffer.from(value, 'base64url').toString()) as {
        key: string
        value: unknown
      }
      fields[key] = content
    } catch {
      throw refusal(`failed to decode inline auth parameter ${name}`)
    }
  }
  return fields
}

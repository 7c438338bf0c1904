/**
 * Owns raw requests to a Vault from tests: any method and path, any answer. Promises to check the server's certificate, to follow
 * nothing, to retry nothing and to throw only when there is no complete answer.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import type { VaultServer } from './vault-server.ts'

/** What Vault's answers have in common; a test looks at the parts that it expects. */
export interface VaultBody {
  readonly errors?: readonly string[]
  readonly warnings?: readonly string[] | null
  readonly auth?: Readonly<Record<string, unknown>> & { readonly client_token: string }
  readonly data?: Readonly<Record<string, unknown>>
}

export interface VaultAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Parsed JSON; `{}` for an empty body. */
  readonly body: VaultBody
  /** The body as it came. */
  readonly text: string
}

export interface VaultRequestOptions {
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Client certificate for the cert auth method. */
  readonly cert?: string
  readonly key?: string
  /** Sent as it is, instead of the JSON of a body. */
  readonly rawBody?: string
}

export type VaultCall = (
  method: string,
  path: string,
  body?: object,
  options?: VaultRequestOptions,
) => Promise<VaultAnswer>

export interface VaultApi {
  readonly call: VaultCall
  /** As root, and throws unless the answer is 2xx. */
  readonly root: (method: string, path: string, body?: object) => Promise<VaultAnswer>
  close(): void
}

export function vaultApi(vault: Pick<VaultServer, 'address' | 'caPem' | 'rootToken'>): VaultApi {
  const agent = new Agent({ ca: vault.caPem, keepAlive: true })
  const call: VaultCall = async (method, path, body, options = {}) => {
    const { token, cert, key } = options
    const content = options.rawBody ?? (body === undefined ? undefined : JSON.stringify(body))
    const { status, headers, text } = await exchange(new URL(`/v1/${path}`, vault.address), content, {
      method,
      agent,
      ca: vault.caPem,
      headers: {
        'X-Vault-Request': 'true',
        ...(token === undefined ? {} : { 'X-Vault-Token': token }),
        ...(content === undefined
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }),
        ...options.headers,
      },
      ...(cert === undefined ? {} : { cert, key }),
    })
    return { status, headers, text, body: parse(text) }
  }
  return {
    call,
    async root(method, path, body) {
      const answer = await call(method, path, body, { token: vault.rootToken })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text.trim()}`)
      return answer
    },
    close: () => agent.destroy(),
  }
}

async function exchange(
  url: URL,
  content: string | undefined,
  options: RequestOptions,
): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    sent.on('error', reject)
    sent.end(content)
  })
}

function parse(text: string): VaultBody {
  try {
    return text === '' ? {} : (JSON.parse(text) as VaultBody)
  } catch {
    return {}
  }
}

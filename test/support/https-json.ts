/** Owns one HTTPS request with a JSON answer, for tests that speak to a real server as its administrator. */
import { Agent, request } from 'node:https'

export interface JsonRequest {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** PEM. */
  readonly ca: string
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export interface JsonResponse {
  readonly status: number
  /** The parsed body; undefined when there is none. */
  readonly body: unknown
}

/** Rejects when no answer comes; every status is an answer. */
export function requestJson(options: JsonRequest): Promise<JsonResponse> {
  return new Promise((resolve, reject) => {
    const sent = request(
      options.url,
      {
        method: options.method ?? 'GET',
        headers: { accept: 'application/json', 'content-type': 'application/json', ...options.headers },
        ca: options.ca,
        ...(options.cert !== undefined && { cert: options.cert }),
        ...(options.key !== undefined && { key: options.key }),
        // A connection of its own: the server may be stopped and started between two requests.
        agent: new Agent({ keepAlive: false }),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) })
        })
      },
    )
    sent.on('error', reject)
    sent.end(options.body === undefined ? undefined : JSON.stringify(options.body))
  })
}

/** Follows `path` through unknown JSON; undefined where there is nothing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Record<string, unknown>)[name]
  }
  return current
}

/** Like {@link at}, for a string that must be there. */
export function stringAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  if (typeof found !== 'string') throw new TypeError(`no string at ${path.join('.')} in ${JSON.stringify(value)}`)
  return found
}

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Owns the requests that the development Vault itself makes: JWKS and TokenReview. JSON in and out, with a CA and a time limit. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface OutgoingOptions {
  readonly method: 'GET' | 'POST'
  readonly body?: object
  readonly caPem?: string
  readonly bearer?: string
}

const timeoutMs = 5000

export async function outgoing(url: string, options: OutgoingOptions): Promise<{ status: number; json: unknown }> {
  const { method, body, caPem, bearer } = options
  const content = body === undefined ? undefined : JSON.stringify(body)
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = send(
      url,
      {
        method,
        agent: false,
        timeout: timeoutMs,
        ...(caPem === undefined || caPem === '' ? {} : { ca: caPem }),
        headers: {
          // A kube-apiserver serves its keys as application/jwk-set+json and nothing else.
          Accept: 'application/json, application/jwk-set+json',
          ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
          ...(content === undefined
            ? {}
            : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }),
        },
      },
      resolve,
    )
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', reject)
    sent.end(content)
  })
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) as unknown }
}

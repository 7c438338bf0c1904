/** Owns single gRPC calls over one connection, with node:http2 and nothing else. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { NotEtcdError } from './connection.ts'

/** @see https://grpc.io/docs/guides/status-codes/ */
export interface GrpcAnswer {
  readonly status: number
  /** What the server says if the status is not 0. */
  readonly text: string
  readonly message: Buffer
}

/** `path` is `/service/method`. Rejects with the error of the connection, or NotEtcdError. */
export type UnaryCall = (path: string, message: Buffer) => Promise<GrpcAnswer>

/** No answer that is asked for comes near it. */
const maxAnswerBytes = 64 * 1024
/** One byte of flags, four of length. */
const frameHeadBytes = 5

const closedText = 'the connection was closed without an answer'

/** Calls over the socket until that is destroyed. */
export function openCalls(endpoint: string, socket: TLSSocket): UnaryCall {
  const session = connect(endpoint, { createConnection: () => socket, settings: { enablePush: false } })
  let failure: Error | undefined
  session.on('error', (error) => {
    failure ??= error
  })
  const closed = new Promise<never>((_, reject) => {
    session.once('close', () => reject(failure ?? new NotEtcdError(closedText)))
  })
  // The end of a session that nobody waits for is the regular one.
  closed.catch(() => {})
  return async (path, message) => {
    try {
      return await Promise.race([exchange(session, path, message), closed])
    } catch (error) {
      // The error of the session says more than that of its stream, and comes after it.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      throw failure ?? error
    }
  }
}

function exchange(session: ClientHttp2Session, path: string, message: Buffer): Promise<GrpcAnswer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'calico-vault-agent',
  })
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    // A failed call has its status among the headers, a good one in the trailers.
    let last: IncomingHttpHeaders | undefined
    stream.on('response', (headers) => {
      last = headers
      const { ':status': status, 'content-type': type } = headers
      if (status === 200 && type?.startsWith('application/grpc') === true) return
      stream.destroy(new NotEtcdError(`HTTP ${status ?? ''} instead of gRPC`))
    })
    stream.on('trailers', (headers) => {
      last = headers
    })
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > maxAnswerBytes) stream.destroy(new NotEtcdError(`an answer of more than ${maxAnswerBytes} bytes`))
    })
    stream.on('error', reject)
    stream.on('close', () => {
      const status = last?.['grpc-status']
      if (last === undefined) return reject(new NotEtcdError(closedText))
      // Without digits: Number takes an empty text for 0, which is success.
      if (status === undefined || !/^\d+$/.test(String(status)))
        return reject(new NotEtcdError('an answer without a gRPC status'))
      const text = decodeText([last['grpc-message'] ?? ''].flat().join(' '))
      resolve({ status: Number(status), text, message: Buffer.concat(chunks).subarray(frameHeadBytes) })
    })
    const head = Buffer.alloc(frameHeadBytes)
    head.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([head, message]))
  })
}

/** Percent-encoded, as gRPC over HTTP/2 wants it; whatever else stands there is shown as it is. */
function decodeText(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

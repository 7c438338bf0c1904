/**
 * Owns single etcd calls as one certificate identity: gRPC by hand over node:http2, with no client library between the
 * certificate and the answer. What etcd3 or Calico make of an answer is another question.
 */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'

/** A way into etcd. Without `cert` and `key` no client certificate is shown. All PEM. */
export interface EtcdIdentity {
  readonly endpoint: string
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

/**
 * `code` is the gRPC status (7: permission denied, 14: unavailable, 16: unauthenticated, …), `tls` when one side refused
 * the other's certificate, and `unreachable` when there was no server or it went away.
 */
export type EtcdAnswer =
  | { readonly ok: true; readonly message: Buffer }
  | { readonly ok: false; readonly code: number | 'tls' | 'unreachable'; readonly message: string }

type Refusal = Extract<EtcdAnswer, { ok: false }>

const timeoutMs = 10_000

/** Reads one key; `value` is undefined when it is not there. */
export async function etcdGet(
  identity: EtcdIdentity,
  key: string,
): Promise<{ readonly ok: true; readonly value: string | undefined } | Refusal> {
  const answer = await callEtcd(identity, '/etcdserverpb.KV/Range', [bytes(1, key)])
  if (!answer.ok) return answer
  const [first] = fieldsOf(answer.message, 2)
  return { ok: true, value: first && fieldsOf(first, 5)[0]?.toString() }
}

export async function etcdPut(
  identity: EtcdIdentity,
  key: string,
  value: string,
): Promise<{ readonly ok: true } | Refusal> {
  const answer = await callEtcd(identity, '/etcdserverpb.KV/Put', [bytes(1, key), bytes(2, value)])
  return answer.ok ? { ok: true } : answer
}

/** One unary call over a connection of its own. Never rejects: every outcome is an answer. */
export async function callEtcd(
  identity: EtcdIdentity,
  path: string,
  fields: readonly Buffer[] = [],
): Promise<EtcdAnswer> {
  const session = openSession(identity)
  try {
    return await callOver(session, path, fields)
  } finally {
    session.destroy()
  }
}

/** Many calls over one connection. */
export interface EtcdCalls {
  call(path: string, fields: readonly Buffer[]): Promise<EtcdAnswer>
  /** The first message of a call that would go on, such as a watch. */
  first(path: string, fields: readonly Buffer[]): Promise<EtcdAnswer>
  close(): void
}

export function openEtcdCalls(identity: EtcdIdentity): EtcdCalls {
  const session = openSession(identity)
  // Without a listener an error between two calls would end the process; each call hears of it itself.
  session.on('error', () => undefined)
  session.setMaxListeners(0)
  return {
    call: (path, fields) => callOver(session, path, fields),
    first: (path, fields) => callOver(session, path, fields, 'first message'),
    close: () => session.destroy(),
  }
}

function openSession({ endpoint, ca, cert, key }: EtcdIdentity): ClientHttp2Session {
  return connect(endpoint, { ca, ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) })
}

async function callOver(
  session: ClientHttp2Session,
  path: string,
  fields: readonly Buffer[],
  until: 'end' | 'first message' = 'end',
): Promise<EtcdAnswer> {
  return await new Promise<EtcdAnswer>((resolve) => {
    const fail = (error: Error) => resolve(connectionFailure(error))
    session.on('error', fail)
    session.on('close', () => fail(new Error('connection closed')))
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.setTimeout(timeoutMs, () => fail(new Error(`no answer after ${timeoutMs} ms`)))
    stream.on('error', (error) => {
      // The session's error says more about the same failure, and comes after it.
      setImmediate(fail, error)
    })

    const chunks: Buffer[] = []
    let trailers: IncomingHttpHeaders = {}
    // A failed call has its status among the headers; a good one in the trailers.
    stream.on('response', (headers) => (trailers = headers))
    stream.on('trailers', (headers) => (trailers = headers))
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const message = until === 'first message' ? messageIn(Buffer.concat(chunks)) : undefined
      if (message === undefined) return
      resolve({ ok: true, message })
      stream.close()
    })
    stream.on('end', () => {
      const status = trailers['grpc-status']
      if (status === undefined) return
      // The message comes after one byte of flags and four of length.
      if (Number(status) === 0) return resolve({ ok: true, message: Buffer.concat(chunks).subarray(5) })
      resolve({
        ok: false,
        code: Number(status),
        message: decodeURIComponent([trailers['grpc-message'] ?? ''].flat().join()),
      })
    })
    const request = frame(Buffer.concat(fields))
    if (until === 'end') stream.end(request)
    else stream.write(request)
  })
}

/** The first message, once all of it is there. */
function messageIn(data: Buffer): Buffer | undefined {
  if (data.length < 5 || data.length < 5 + data.readUInt32BE(1)) return undefined
  return data.subarray(5, 5 + data.readUInt32BE(1))
}

function connectionFailure(error: Error): Refusal {
  const systemCode = 'code' in error ? String(error.code) : ''
  const isTls = /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|INVALID_|EPROTO)/.test(systemCode)
  return { ok: false, code: isTls ? 'tls' : 'unreachable', message: `${systemCode} ${error.message}`.trim() }
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** A string, bytes or message field. */
export function bytes(field: number, value: string | Buffer): Buffer {
  const content = Buffer.from(value)
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content])
}

/** An integer, enum or bool field. */
export function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)])
}

function varint(value: number): Buffer {
  const result: number[] = []
  let rest = value
  while (rest >= 0x80) {
    result.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...result, rest])
}

/** The contents of every string, bytes or message field of this number. */
export function fieldsOf(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = []
  let offset = 0
  const readVarint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = message.readUInt8(offset++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  while (offset < message.length) {
    const tag = readVarint()
    // etcd's messages have no other wire types than varint (0) and length-delimited (2).
    const size = readVarint()
    if ((tag & 7) !== 2) continue
    if (tag >> 3 === field) found.push(message.subarray(offset, offset + size))
    offset += size
  }
  return found
}

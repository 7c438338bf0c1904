/**
 * Owns the two requests to the Kubernetes API: a page of the list of nodes, and a watch from one version on. Token and CA are
 * read from the service account's directory for each connection, as the kubelet renews them in place. What goes wrong becomes a reason.
 */
import { Client } from 'undici'
import type { KubeAddress } from '../../config/watch.ts'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { field, parseJson } from '../../core/json.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { oneLine } from '../../core/text.ts'
import { isTlsCode } from '../../core/tls.ts'
import { retryAfterMs } from '../../vault/failure.ts'
import { linesOf, type NodeEvent, type NodePage, parseNodePage, parseWatchEvent } from './answers.ts'

export interface KubeTimeouts {
  /** For a connection, and for the head of an answer. */
  readonly answerMs: number
  /** A watch that says nothing for so long is taken for dead. API servers send a bookmark every minute. */
  readonly silentMs: number
  /** How long the API server is asked to keep a watch; it ends it then, and the next one goes on. */
  readonly watchSeconds: number
}

export interface KubeApi {
  listNodes(after: string | undefined): Promise<NodePage>
  /** Ends when the API server ends it. `opened` is called once the API server has agreed. */
  watchNodes(resourceVersion: string, opened: () => void): AsyncIterable<NodeEvent>
  close(): void
}

const nodesPerPage = 500
/** 500 nodes with a hundred kilobytes of annotations each. */
const largestPageBytes = 64 * 1024 * 1024
const path = '/api/v1/nodes'

/** Only names are needed: without status and spec a node is a tenth. Errors of a watch come as Status all the same. */
const listAccept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'
const watchAccept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

/** @throws AgentError, here and in every function */
export function openKube(address: KubeAddress, timeouts: KubeTimeouts, stop: AbortSignal): KubeApi {
  const client = new Client(address.origin, {
    allowH2: false,
    headersTimeout: timeouts.answerMs,
    bodyTimeout: timeouts.silentMs,
    connect: {
      timeout: timeouts.answerMs,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ca: readText(address.caFile),
    },
  })

  async function get(query: Readonly<Record<string, string>>, accept: string, where: string) {
    const answer = await client.request({
      method: 'GET',
      path: `${path}?${new URLSearchParams(query).toString()}`,
      headers: { accept, authorization: `Bearer ${readToken(address.tokenFile)}` },
      signal: stop,
    })
    if (answer.statusCode === 200) return answer.body
    const text = await readAll(answer.body, 64 * 1024)
    const asked = answer.headers['retry-after']
    const waitMs = retryAfterMs(typeof asked === 'string' ? asked : undefined, Date.now())
    throw statusError(answer.statusCode, messageIn(text), where, waitMs)
  }

  return {
    async listNodes(after) {
      const where = `list of nodes at ${address.origin}`
      try {
        const query = { limit: String(nodesPerPage), ...(after !== undefined && { continue: after }) }
        return parseNodePage(await readAll(await get(query, listAccept, where), largestPageBytes))
      } catch (error) {
        throw translateKubeError(error, where)
      }
    },
    async *watchNodes(resourceVersion, opened) {
      const where = `watch of nodes at ${address.origin}`
      try {
        const timeoutSeconds = String(timeouts.watchSeconds)
        const query = { watch: '1', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds }
        const body = await get(query, watchAccept, where)
        opened()
        for await (const line of linesOf(body)) {
          const event = parseWatchEvent(line)
          if (event.type === 'error') throw statusError(event.status, event.message, where)
          if (event.type === 'malformed') throw new AgentError('kube-bad-answer', `${where}: a malformed event`)
          yield event
        }
      } catch (error) {
        throw translateKubeError(error, where)
      }
    },
    // Not close(): that would wait for the watch.
    close: () => void client.destroy().catch(() => {}),
  }
}

async function readAll(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > mostBytes) throw new AgentError('kube-bad-answer', `the answer has more than ${mostBytes} bytes`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `message` of a Status; what is no Status is some proxy's page. */
function messageIn(text: string): string {
  const message = field(parseJson(text), 'message')
  return typeof message === 'string' ? message : ''
}

function readToken(file: string): string {
  const token = readText(file).trim()
  if (!/^[\x21-\x7e]+$/.test(token)) throw new AgentError('credential-invalid', `${file} holds no token`)
  return token
}

function readText(file: string): string {
  try {
    return readSmallFile(systemFiles, file)
  } catch (cause) {
    throw new AgentError('credential-missing', messageOf(cause), { cause })
  }
}

const timeoutCodes = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])

/** @param where what was asked, for the message. An error that nothing here knows is returned as it is: a bug */
function translateKubeError(error: unknown, where: string): unknown {
  if (error instanceof AgentError || !(error instanceof Error)) return error
  const code = systemCode(error)
  const reason = reasonOf(code)
  return reason === undefined ? error : new AgentError(reason, `${where}: ${messageOf(error)}`, { cause: error })
}

function reasonOf(code: string): ReasonCode | undefined {
  if (isTlsCode(code)) return 'kube-tls'
  if (timeoutCodes.has(code)) return 'kube-timeout'
  if (/^(HPE_|UND_ERR_RES|ERR_ASSERTION)/.test(code)) return 'kube-bad-answer'
  return code === '' ? undefined : 'kube-unreachable'
}

/** The reason for an HTTP status, or for the status in an ERROR event. */
function statusError(status: number, message: string, where: string, waitMs?: number): AgentError {
  const sentence = oneLine(message, 300)
  return new AgentError(codeOf(status), `${where}: ${status} ${sentence}`.trim(), { retryAfterMs: waitMs })
}

function codeOf(status: number): ReasonCode {
  if (status === 401) return 'kube-unauthorized'
  if (status === 403) return 'kube-denied'
  if (status === 410) return 'kube-expired'
  if (status === 504 || status === 408) return 'kube-timeout'
  return status === 429 || status >= 500 ? 'kube-busy' : 'kube-bad-answer'
}

/** Owns what the Kubernetes API answers about nodes: pages of a list, and lines of a watch, checked before anybody uses them. */
import { AgentError } from '../../core/errors.ts'
import { field, parseJson } from '../../core/json.ts'

export interface NodePage {
  readonly names: readonly string[]
  readonly resourceVersion: string
  /** For the next page; undefined on the last one. */
  readonly continue: string | undefined
}

/** @see https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes */
export type NodeEvent =
  | { readonly type: 'present' | 'deleted'; readonly name: string; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string }

/** A line of a watch. */
export type WatchEvent =
  | NodeEvent
  | { readonly type: 'error'; readonly status: number; readonly message: string }
  /** Nobody knows what it told; only a new list does. */
  | { readonly type: 'malformed' }

/** @throws AgentError `kube-bad-answer` */
export function parseNodePage(text: string): NodePage {
  const body = parseJson(text)
  const metadata = field(body, 'metadata')
  const items = field(body, 'items')
  const resourceVersion = textOf(field(metadata, 'resourceVersion'))
  const next = field(metadata, 'continue')
  // An empty list is written as null by some versions of Go programs.
  const names = items === null ? [] : Array.isArray(items) ? items.map(nameOf) : undefined
  if (resourceVersion === undefined || names === undefined || names.includes(undefined)) {
    throw new AgentError('kube-bad-answer', 'the answer is no list of nodes')
  }
  return {
    names: names as string[],
    resourceVersion,
    continue: typeof next === 'string' && next !== '' ? next : undefined,
  }
}

/** Never throws. */
export function parseWatchEvent(line: string): WatchEvent {
  const event = parseJson(line)
  const object = field(event, 'object')
  const resourceVersion = textOf(field(field(object, 'metadata'), 'resourceVersion'))
  const type = field(event, 'type')
  if (type === 'ERROR') {
    const code = field(object, 'code')
    const message = field(object, 'message')
    return {
      type: 'error',
      status: typeof code === 'number' ? code : 500,
      message: typeof message === 'string' ? message : '',
    }
  }
  if (resourceVersion === undefined) return { type: 'malformed' }
  if (type === 'BOOKMARK') return { type: 'bookmark', resourceVersion }
  const name = nameOf(object)
  if (name === undefined) return { type: 'malformed' }
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'present', name, resourceVersion }
  return type === 'DELETED' ? { type: 'deleted', name, resourceVersion } : { type: 'malformed' }
}

function nameOf(object: unknown): string | undefined {
  return textOf(field(field(object, 'metadata'), 'name'))
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

const newline = 0x0a
/** A node has some kilobytes of metadata; etcd, where it is kept, takes no object above 1.5 MiB. */
const longestLineBytes = 4 * 1024 * 1024

/**
 * Lines without their end. What follows the last end is dropped: the connection was cut in the middle of it.
 * @throws AgentError `kube-bad-answer` when a line never ends
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  longestBytes = longestLineBytes,
): AsyncGenerator<string, void, undefined> {
  // Joined only once a line is complete: a character may be cut as well.
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      parts.push(chunk.subarray(from, at))
      yield Buffer.concat(parts).toString('utf8')
      parts = []
      length = 0
      from = at + 1
    }
    if (from === chunk.length) continue
    parts.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > longestBytes) throw new AgentError('kube-bad-answer', `an event has more than ${longestBytes} bytes`)
  }
}

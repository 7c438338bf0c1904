/** Owns cutting a stream of bytes into lines, however the bytes come cut into chunks. */
import { AgentError } from '../../core/errors.ts'

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

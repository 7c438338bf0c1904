/** Owns what is kept of the output of somebody else's program: the end of it, on one line, and never a key or a token. */
import { oneLine } from '../../core/text.ts'

export interface Output {
  readonly add: (chunk: Buffer) => void
  readonly text: () => string
}

const mostBytes = 2048
const secret = /PRIVATE KEY|\bhv[bsr]\.|\b[sbr]\.[A-Za-z0-9]{24}|[\w-]\.eyJ/

export function createOutput(): Output {
  let kept = Buffer.alloc(0)
  let isCut = false
  let isSecret = false
  return {
    add(chunk) {
      const all = Buffer.concat([kept, chunk])
      isCut ||= all.length > mostBytes
      // Before it is cut: the rest of a key or a token does not look like one.
      isSecret ||= secret.test(all.toString('latin1'))
      kept = all.subarray(-mostBytes)
    },
    text() {
      const text = oneLine(kept.toString('utf8'))
      if (isSecret || secret.test(text)) return '[redacted: it holds a key or a token]'
      return isCut ? `…${text}` : text
    },
  }
}

/** Owns what is kept of the output of somebody else's program: the end of it, on one line, and never a key or a token. */
import { oneLine } from '../../core/text.ts'

export interface Output {
  readonly add: (chunk: Buffer) => void
  readonly text: () => string
}

const mostBytes = 2048

export function createOutput(): Output {
  let kept = Buffer.alloc(0)
  let isCut = false
  return {
    add(chunk) {
      const all = Buffer.concat([kept, chunk])
      isCut ||= all.length > mostBytes
      kept = all.subarray(-mostBytes)
    },
    text() {
      const text = oneLine(kept.toString('utf8'))
      if (/PRIVATE KEY|\bhv[bsr]\.|\beyJ[\w-]+\.eyJ/.test(text)) return '[redacted: it holds a key or a token]'
      return isCut ? `…${text}` : text
    },
  }
}

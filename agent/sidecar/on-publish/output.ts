/** Owns what is kept of the output of somebody else's program: the end of it, on one line, and never a key or a token. */
import { redactSecrets } from '../../core/secret.ts'
import { oneLine } from '../../core/text.ts'

const mostBytes = 2048

export function createOutput() {
  let kept = Buffer.alloc(0)
  let isCut = false
  let isSecret = false
  return {
    add(this: void, chunk: Buffer): void {
      const all = Buffer.concat([kept, chunk])
      isCut ||= all.length > mostBytes
      // Before it is cut: the rest of a key or a token does not look like one.
      isSecret ||= holdsSecret(all.toString('latin1'))
      kept = all.subarray(-mostBytes)
    },
    text(): string {
      const text = oneLine(kept.toString('utf8'))
      if (isSecret || holdsSecret(text)) return '[redacted: it holds a key or a token]'
      return isCut ? `…${text}` : text
    },
  }
}

function holdsSecret(text: string): boolean {
  return redactSecrets(text) !== text
}

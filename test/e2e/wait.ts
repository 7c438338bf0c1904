/** Owns waiting for what a cluster does in its own time, with what was seen last when it takes too long. */
import { setTimeout as delay } from 'node:timers/promises'

const everyMs = 200

/** Asks until there is an answer. A failure means "not yet", and is told when the time is over. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, withinMs = 60_000): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const [answer, failure] = await ask().then(
      (value) => [value, 'no answer'] as const,
      (error: unknown) => [undefined, error instanceof Error ? error.message : String(error)] as const,
    )
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs / 1000} s; last: ${failure}`)
    await delay(everyMs)
  }
}

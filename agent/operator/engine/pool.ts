/** Owns doing many calls with bounded concurrency, and fewer at once if the server is slow. */

/**
 * A change costs etcd more the more users it has (docs/etcd.md), and blocks everything else meanwhile. Above this the queue
 * in front of etcd only makes Calico's own requests wait, and ours time out.
 */
const slowMs = 500

export interface PoolOptions {
  /** Milliseconds of a clock that never jumps. Default: `performance.now`. */
  readonly now?: () => number
  /** At once. Default: 16. */
  readonly most?: number
}

/** Ends with the first failure, once the calls under way have ended; later items are not begun then. */
export async function forEach<Item>(
  items: readonly Item[],
  { now = () => performance.now(), most = 16 }: PoolOptions,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let limit = most
  let next = 0
  let running = 0
  const failures: unknown[] = []
  await new Promise<void>((resolve) => {
    const fill = (): void => {
      while (failures.length === 0 && running < limit && next < items.length) {
        running++
        void one(items[next++] as Item)
      }
      if (running === 0) resolve()
    }
    const one = async (item: Item): Promise<void> => {
      const startedAt = now()
      try {
        await work(item)
        limit = now() - startedAt > slowMs ? Math.max(1, Math.floor(limit / 2)) : Math.min(most, limit + 1)
      } catch (error) {
        failures.push(error)
      }
      running--
      fill()
    }
    fill()
  })
  if (failures.length > 0) throw failures[0]
}

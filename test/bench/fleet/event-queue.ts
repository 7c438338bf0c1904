/** Owns virtual time: for each of a fixed number of actors the one moment at which it acts next, the earliest first. */

export interface EventQueue {
  /** Who acts next. */
  readonly first: () => number
  readonly firstAtMs: () => number
  /** The first actor acts again at `atMs`. */
  readonly moveFirst: (atMs: number) => void
}

/** @param startsMs by actor: when it acts first */
export function createEventQueue(startsMs: Float64Array): EventQueue {
  const atMs = Float64Array.from(startsMs)
  const heap = Uint32Array.from(atMs.keys())
  const timeAt = (index: number): number => atMs[heap[index] ?? 0] ?? Number.POSITIVE_INFINITY

  function sink(start: number): void {
    const actor = heap[start] ?? 0
    const time = atMs[actor] ?? 0
    let hole = start
    for (;;) {
      let child = 2 * hole + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && timeAt(child + 1) < timeAt(child)) child++
      if (timeAt(child) >= time) break
      heap[hole] = heap[child] ?? 0
      hole = child
    }
    heap[hole] = actor
  }

  for (let index = heap.length >> 1; index >= 0; index--) sink(index)
  return {
    first: () => heap[0] ?? 0,
    firstAtMs: () => timeAt(0),
    moveFirst: (nextMs) => {
      atMs[heap[0] ?? 0] = nextMs
      sink(0)
    },
  }
}

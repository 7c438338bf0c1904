/** Owns the record of the requests that were answered: never a body, a header or a token. */

export interface RequestRecord {
  readonly method: string
  /** Without `/v1/` and the query. A read with `?list=true` has the method LIST. */
  readonly path: string
  /** 0: never answered (hung or reset). */
  readonly status: number
  readonly atMs: number
}

export interface Requests {
  /** All since the start or the last `clear`, oldest first. */
  readonly all: readonly RequestRecord[]
  /** Those whose path begins so. */
  to(prefix: string): RequestRecord[]
  clear(): void
}

export interface RequestLog extends Requests {
  /** Returns what tells those who wait, for when the answer is out. */
  add(record: RequestRecord): () => void
  /** The next request, from now on, for which `predicate` holds. */
  next(predicate: (record: RequestRecord) => boolean): Promise<RequestRecord>
}

export function createRequestLog(): RequestLog {
  const records: RequestRecord[] = []
  const waiting = new Set<(record: RequestRecord) => void>()
  return {
    all: records,
    to: (prefix) => records.filter((record) => record.path.startsWith(prefix)),
    clear: () => {
      records.length = 0
    },
    add(record) {
      records.push(record)
      return () => {
        for (const notify of waiting) notify(record)
      }
    },
    next: async (predicate) =>
      await new Promise((resolve) => {
        const notify = (record: RequestRecord): void => {
          if (!predicate(record)) return
          waiting.delete(notify)
          resolve(record)
        }
        waiting.add(notify)
      }),
  }
}

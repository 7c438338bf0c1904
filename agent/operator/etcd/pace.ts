/**
 * Decides how fast users and roles are changed, so that Calico's own requests hardly notice. etcd computes the rights of all users
 * at every change and answers nobody meanwhile (docs/etcd.md, "How large"): with thousands of users that is long.
 *
 * - While next to nobody else writes, changes go at full speed.
 * - Otherwise one at a time, and in no minute is etcd kept busy for longer than a share of it. That share may be used at once: one
 *   new node does not wait.
 * - What keeps etcd busy no longer than an ordinary write does is free: it can at most double what another request takes.
 */
import type { EtcdAuthApi } from './api.ts'
import { recordPrefix } from './record.ts'

/** Of a minute. A new node waits for its users, so what it needs is in a hurry. */
export const defaultBusyShare = 0.05
/** Nobody waits for what is taken away: of two hundred requests one meets it, and the 99th percentile stays what it is. */
const patientPart = 0.1
export const windowMs = 60_000
/** Calico's nodes and Kubernetes write every few seconds, and the more often the larger the cluster. */
export const quietAfterMs = 5000
/** Between two samples: the sample itself, and what else `provision` writes for a node (record.ts). */
const fewWrites = 4n
/** How long one sample of etcd's counter of writes counts. */
export const resampleMs = 1000
const remembered = 7
/** At full speed. */
const atOnce = 16

export interface PaceState {
  /** Changes of the last minute, and for how long each kept etcd busy. */
  readonly recent: readonly { readonly atMs: number; readonly busyMs: number }[]
  /** How long the last few writes of a key took that had etcd to themselves. */
  readonly ordinary: readonly number[]
  /** How long etcd was at the last few changes. */
  readonly spans: readonly number[]
  /** etcd's counter of writes at the last sample. */
  readonly revision: bigint | undefined
  /** Since then next to nobody else has written. */
  readonly quietSinceMs: number
}

export function initialPace(nowMs: number): PaceState {
  return { recent: [], ordinary: [], spans: [], revision: undefined, quietSinceMs: nowMs }
}

/** After a write of our own that took `tookMs` and was the write of this number. */
export function afterSample(state: PaceState, sample: { revision: bigint; tookMs: number; nowMs: number }): PaceState {
  const { revision, tookMs, nowMs } = sample
  const isFew = state.revision !== undefined && revision - state.revision <= fewWrites
  return {
    ...state,
    revision,
    ordinary: [tookMs, ...state.ordinary].slice(0, remembered),
    quietSinceMs: isFew ? state.quietSinceMs : nowMs,
  }
}

/**
 * After one change that etcd was at for `spanMs`, its way there and back and the write of its log included. All changes cost it
 * the same, so the median of the last few is taken: one that met a hiccup asks for no minute of rest.
 */
export function afterChange(before: PaceState, spanMs: number, nowMs: number): PaceState {
  const state = { ...before, spans: [spanMs, ...before.spans].slice(0, remembered) }
  // Where everything is slow, a change is not to blame for it.
  const ordinaryMs = median(state.ordinary)
  const busyMs = median(state.spans) - ordinaryMs
  if (busyMs <= ordinaryMs || isQuiet(state, nowMs)) return state
  return { ...state, recent: [...state.recent.filter(({ atMs }) => atMs > nowMs - windowMs), { atMs: nowMs, busyMs }] }
}

/** Of two the shorter. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0
}

export function isQuiet({ quietSinceMs }: PaceState, nowMs: number): boolean {
  return nowMs - quietSinceMs >= quietAfterMs
}

/**
 * How long etcd has to rest before the next change: until those of the last minute are within the share, and at least as long as
 * the last one took. Changes without a gap let nobody through: etcd refuses what was asked before a change and comes
 * to it after, and the client asks again (ErrAuthOldRevision: https://github.com/etcd-io/etcd/blob/v3.6.14/server/auth/store.go).
 */
export function planRest(state: PaceState, share: number, nowMs: number): number {
  const { recent } = state
  const last = recent.at(-1)
  if (last === undefined || isQuiet(state, nowMs)) return 0
  let leftMs = share * windowMs
  const over = recent.findLast(({ busyMs }) => (leftMs -= busyMs) <= 0)
  const restsUntilMs = Math.max(last.atMs + last.busyMs, (over?.atMs ?? Number.NEGATIVE_INFINITY) + windowMs)
  return Math.max(0, Math.ceil(restsUntilMs - nowMs))
}

export interface Pace {
  /**
   * Makes one change when it is its turn.
   * @param isPatient nobody waits for it
   */
  change(api: Pick<EtcdAuthApi, 'put' | 'get'>, work: () => Promise<void>, isPatient?: boolean): Promise<void>
}

export interface PaceOptions {
  /** The share of its time that etcd may be kept busy, above 0; 1: no bound. */
  readonly share: number
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
}

const sampleKey = `${recordPrefix}pace`

export function createPace({ share, now, sleep }: PaceOptions): Pace {
  let state = initialPace(now())
  let sampledAt = Number.NEGATIVE_INFINITY
  let endedAt = Number.NEGATIVE_INFINITY
  let running = 0
  /** Whoever is first in line is the only one that samples and waits. */
  let line = Promise.resolve()
  let ended = Promise.withResolvers<void>()

  async function sample(api: Pick<EtcdAuthApi, 'put' | 'get'>): Promise<void> {
    const startedAt = now()
    await api.put(sampleKey, '')
    sampledAt = now()
    const revision = BigInt((await api.get(sampleKey))?.modRevision ?? 0)
    state = afterSample(state, { revision, tookMs: sampledAt - startedAt, nowMs: sampledAt })
  }

  async function turn(api: Pick<EtcdAuthApi, 'put' | 'get'>, granted: number): Promise<void> {
    for (;;) {
      const isLate = now() - sampledAt >= resampleMs
      // A sample beside a change would take as long as that.
      if (isLate && running === 0) await sample(api)
      const limit = isLate || !isQuiet(state, now()) ? 1 : atOnce
      const restMs = planRest(state, granted, now())
      if (running >= limit) await ended.promise
      else if (restMs > 0) await sleep(Math.min(restMs, resampleMs))
      else return
    }
  }

  return {
    async change(api, work, isPatient = false) {
      if (share >= 1) return await work()
      const mine = line.then(() => turn(api, isPatient ? share * patientPart : share)).then(() => void running++)
      line = mine.catch(() => undefined)
      await mine
      const startedAt = now()
      try {
        await work()
      } finally {
        running--
        const at = now()
        // etcd makes one change after the other: while there is a queue, each is at it since the one before.
        state = afterChange(state, at - Math.max(startedAt, endedAt), at)
        endedAt = at
        ended.resolve()
        ended = Promise.withResolvers()
      }
    },
  }
}

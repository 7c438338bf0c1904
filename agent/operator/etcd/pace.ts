/**
 * Decides how fast users and roles are changed, so that Calico's own requests hardly notice. etcd computes the rights of all users
 * at every change and answers nobody meanwhile (docs/etcd.md, "How large"): with thousands of users that is long.
 *
 * - While next to nobody else writes, changes go at full speed; at once if hardly anything was ever written to this etcd.
 * - Otherwise one at a time, and in no minute is etcd kept busy for longer than a share of it. That share may be used at once.
 * - A new node that comes alone never waits, however long its changes take: then a minute is as long as it takes to keep the share.
 * - What keeps etcd busy no longer than an ordinary write does is free: it can at most double what another request takes.
 */
import type { EtcdAuthApi } from './api.ts'
import { recordPrefix } from './record.ts'

/** Of two hundred requests one meets a change, and the 99th percentile stays what it is. */
export const defaultBusyShare = 0.005
export const windowMs = 60_000
/** The changes of one node with calico-node and calico-cni: five grants, two users, three roles given. */
export const nodeChanges = 10
/** Calico's nodes and Kubernetes write every few seconds, and more often in a larger cluster. */
export const quietAfterMs = 5000
/** Between two samples: the sample itself, and what else `provision` writes for a node (record.ts). */
const fewWrites = 4n
/** An etcd with no more writes than that in its life is one that nobody uses yet. Whoever begins to is seen at the next sample. */
export const unusedUpTo = 100n
/** How long one sample of etcd's counter of writes counts. */
export const resampleMs = 1000
const remembered = 7
const tellAboveMs = 5000
/** At full speed: so many, but no more than etcd makes within half a second, as it gives up on what has waited for some seconds. */
const mostAtOnce = 16
const queueMs = 500

export interface PaceState {
  /** Changes of the last minute, and at least those of a node, and for how long each kept etcd busy. */
  readonly recent: readonly { readonly atMs: number; readonly busyMs: number }[]
  /** How long the last few writes of a key took that had etcd to themselves. */
  readonly ordinary: readonly number[]
  /** How long etcd worked at the last few changes. */
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
  return {
    ...state,
    revision,
    ordinary: [tookMs, ...state.ordinary].slice(0, remembered),
    quietSinceMs: quietSince(state, revision, nowMs),
  }
}

function quietSince({ revision: before, quietSinceMs }: PaceState, revision: bigint, nowMs: number): number {
  if (before === undefined) return revision <= unusedUpTo ? nowMs - quietAfterMs : nowMs
  return revision - before <= fewWrites ? quietSinceMs : nowMs
}

/**
 * After one change that etcd worked at for `spanMs`, its way there and back and the write of the log included. All changes cost
 * etcd the same, so the median of the last few is taken: one that met a hiccup asks for no minute of rest.
 */
export function afterChange(before: PaceState, spanMs: number, nowMs: number): PaceState {
  const state = { ...before, spans: [spanMs, ...before.spans].slice(0, remembered) }
  // If everything is slow, a change is not to blame for it.
  const ordinaryMs = median(state.ordinary)
  const busyMs = median(state.spans) - ordinaryMs
  if (busyMs <= ordinaryMs || isQuiet(state, nowMs)) return state
  const recent = state.recent.filter(
    ({ atMs }, index, all) => atMs > nowMs - windowMs || index >= all.length - nodeChanges,
  )
  return { ...state, recent: [...recent, { atMs: nowMs, busyMs }] }
}

/** Of two values the shorter one. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0
}

export function isQuiet({ quietSinceMs }: PaceState, nowMs: number): boolean {
  return nowMs - quietSinceMs >= quietAfterMs
}

/** How many changes may be under way at full speed. The first one tells how long one takes. */
export function planAtOnce({ spans }: PaceState): number {
  return spans.length === 0 ? 1 : Math.max(1, Math.min(mostAtOnce, Math.floor(queueMs / Math.max(1, median(spans)))))
}

export interface Bound {
  /** The share of its time that etcd may be kept busy. */
  readonly share: number
  /** So many changes are let through however long they take; the share then holds over a longer time. */
  readonly together: number
}

/**
 * How long etcd has to rest before the next change: until those of the last minute are within the share, and at least as long as
 * the last one took. Changes without a gap let nobody through: etcd refuses what was asked before a change and comes
 * to it after, and the client asks again (ErrAuthOldRevision: https://github.com/etcd-io/etcd/blob/v3.6.14/server/auth/store.go).
 */
export function planRest(state: PaceState, { share, together }: Bound, nowMs: number): number {
  const { recent } = state
  const last = recent.at(-1)
  if (last === undefined || isQuiet(state, nowMs)) return 0
  const withinMs = Math.max(windowMs, (together * last.busyMs) / share)
  let leftMs = share * withinMs
  const over = recent.findLast(({ busyMs }) => (leftMs -= busyMs) <= 0)
  const restsUntilMs = Math.max(last.atMs + last.busyMs, (over?.atMs ?? Number.NEGATIVE_INFINITY) + withinMs)
  return Math.max(0, Math.ceil(restsUntilMs - nowMs))
}

/** What a sample of etcd's counter of writes needs. */
type Counter = Pick<EtcdAuthApi, 'put' | 'get'>

export interface Pace {
  /**
   * Makes one change when it is its turn.
   * @param isPatient nobody waits for it, so it never takes more than the share that is the default
   */
  change(api: Counter, work: () => Promise<void>, isPatient?: boolean): Promise<void>
}

export interface PaceOptions {
  /** The share of its time that etcd may be kept busy, above 0; 1: no bound. */
  readonly share: number
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
  /** Called at most once a minute, when somebody who is in a hurry has to wait for so long. */
  readonly waits: (text: string) => void
}

const sampleKey = `${recordPrefix}pace`

export function createPace({ share, now, sleep, waits }: PaceOptions): Pace {
  let state = initialPace(now())
  let sampledAt = Number.NEGATIVE_INFINITY
  let endedAt = Number.NEGATIVE_INFINITY
  let toldAt = Number.NEGATIVE_INFINITY
  let running = 0
  /** Whoever is first in line is the only one that samples and waits. */
  let line = Promise.resolve()
  let ended = Promise.withResolvers<void>()

  async function sample(api: Counter): Promise<void> {
    const startedAt = now()
    await api.put(sampleKey, '')
    sampledAt = now()
    const revision = BigInt((await api.get(sampleKey))?.modRevision ?? 0)
    state = afterSample(state, { revision, tookMs: sampledAt - startedAt, nowMs: sampledAt })
  }

  function tell(restMs: number): void {
    if (restMs < tellAboveMs || now() - toldAt < windowMs) return
    toldAt = now()
    const percent = `${Number((share * 100).toPrecision(3))} %`
    waits(
      `etcd serves others too: the next change waits ${Math.ceil(restMs / 1000)} s to keep it busy for no more than ${percent} of the time (--max-busy)`,
    )
  }

  async function turn(api: Counter, bound: Bound): Promise<void> {
    for (;;) {
      const isLate = now() - sampledAt >= resampleMs
      // A sample beside a change would take as long as that.
      if (isLate && running === 0) await sample(api)
      const limit = isLate || !isQuiet(state, now()) ? 1 : planAtOnce(state)
      const restMs = planRest(state, bound, now())
      if (running >= limit) await ended.promise
      else if (restMs === 0) return
      else {
        if (bound.together > 0) tell(restMs)
        await sleep(Math.min(restMs, resampleMs))
      }
    }
  }

  return {
    async change(api, work, isPatient = false) {
      if (share >= 1) return await work()
      const bound = isPatient
        ? { share: Math.min(share, defaultBusyShare), together: 0 }
        : { share, together: nodeChanges }
      const mine = line.then(() => turn(api, bound)).then(() => void running++)
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

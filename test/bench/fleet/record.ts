/** Owns what is kept of a run, minute by minute, while it lasts. */
const minuteMs = 60_000

/** What a signed certificate replaces. */
export interface Replaced {
  readonly renewAtMs: number
  readonly notAfterMs: number
}

export interface Record {
  readonly startMs: number
  /** By minute since the start: certificates that replace another. */
  readonly renewals: Uint32Array
  /** By minute since the start: certificates of agents that had none. */
  readonly firsts: Uint32Array
  /** By minute since the start: renewals that failed. */
  readonly failures: Uint32Array
  readonly outage: { readonly fromMs: number; readonly toMs: number } | undefined
  readonly totals: {
    expired: number
    /** Least runway of a certificate when it was replaced. */
    leastRunwayMs: number
    /** Longest time from a failed request of an agent to its next one, of any kind. */
    longestWaitMs: number
    /** Planned for a moment of the outage, and signed after it. */
    backlog: number
    lastOfBacklogMs: number
    lastFirstMs: number
  }
  setOutage(fromMs: number, toMs: number): void
  signed(id: number, nowMs: number, replaced: Replaced | undefined): void
  failed(id: number, nowMs: number): void
  polled(id: number, nowMs: number, isAnswered: boolean): void
  expired(): void
}

export function createRecord(startMs: number, lengthMs: number): Record {
  const minutes = Math.ceil(lengthMs / minuteMs)
  const failedAtMs = new Map<number, number>()
  let outage: Record['outage']
  const totals = {
    expired: 0,
    leastRunwayMs: Number.POSITIVE_INFINITY,
    longestWaitMs: 0,
    backlog: 0,
    lastOfBacklogMs: 0,
    lastFirstMs: 0,
  }
  const [renewals, firsts, failures] = [new Uint32Array(minutes), new Uint32Array(minutes), new Uint32Array(minutes)]

  function count(series: Uint32Array, nowMs: number): void {
    const minute = Math.floor((nowMs - startMs) / minuteMs)
    series[minute] = (series[minute] ?? 0) + 1
  }

  function contacted(id: number, nowMs: number, isAnswered: boolean): void {
    const sinceMs = failedAtMs.get(id)
    if (sinceMs !== undefined) totals.longestWaitMs = Math.max(totals.longestWaitMs, nowMs - sinceMs)
    if (isAnswered) failedAtMs.delete(id)
    else failedAtMs.set(id, nowMs)
  }

  function countReplaced({ renewAtMs, notAfterMs }: Replaced, nowMs: number): void {
    totals.leastRunwayMs = Math.min(totals.leastRunwayMs, notAfterMs - nowMs)
    if (notAfterMs <= nowMs) totals.expired++
    if (outage === undefined || renewAtMs < outage.fromMs || renewAtMs >= outage.toMs || nowMs < outage.toMs) return
    totals.backlog++
    totals.lastOfBacklogMs = nowMs
  }

  return {
    startMs,
    renewals,
    firsts,
    failures,
    totals,
    get outage() {
      return outage
    },
    setOutage: (fromMs, toMs) => {
      outage = { fromMs, toMs }
    },
    signed: (id, nowMs, replaced) => {
      contacted(id, nowMs, true)
      if (replaced !== undefined) countReplaced(replaced, nowMs)
      else totals.lastFirstMs = nowMs
      count(replaced === undefined ? firsts : renewals, nowMs)
    },
    failed: (id, nowMs) => {
      contacted(id, nowMs, false)
      count(failures, nowMs)
    },
    polled: contacted,
    expired: () => {
      totals.expired++
    },
  }
}

/** Owns the figures of a run. */
import { rounded } from '../summary.ts'
import type { Record } from './record.ts'
import type { Fleet, Scenario } from './scenarios.ts'

export interface Figures {
  /** Of renewals at rest: every identity once in a period. */
  readonly meanSignsPerMinute: number
  /** The ten minutes with most renewals, as a multiple of the mean: of the whole run, or since the outage began. */
  readonly peakRatio: number
  /** The same from an hour after the outage on: renewals that have given way come then. */
  readonly laterPeakRatio?: number
  readonly longestWaitMinutes: number
  readonly failuresPerMinuteAtMost: number
  readonly failures: number
  readonly expired: number
  readonly leastRunwayMinutes: number
  /** How long the mass start took until the last agent had a certificate. */
  readonly startMinutes: number
  readonly outageHours?: number
  /** Identities whose renewal fell into the outage. */
  readonly backlog?: number
  /** From the end of the outage until the last of them had been renewed. */
  readonly recoveryMinutes?: number
}

/** A target and what became of it. */
export interface Verdict {
  readonly figure: string
  readonly value: number
  readonly most: number
  readonly holds: boolean
}

const minuteMs = 60_000
const peakMinutes = 10

export function meanPerMinute({ nodes, components, ttlMs, renewAt }: Fleet): number {
  return (nodes * components.length * minuteMs) / (ttlMs * renewAt)
}

export function measure(fleet: Fleet, { startMs, renewals, failures, outage, totals }: Record): Figures {
  const mean = meanPerMinute(fleet)
  const minuteOf = (atMs: number): number => Math.floor((atMs - startMs) / minuteMs)
  const ratio = (from: number, to?: number): number => rounded(peak(renewals.subarray(from, to)) / peakMinutes / mean)
  const downFrom = outage === undefined ? 0 : minuteOf(outage.fromMs)
  const downTo = outage === undefined ? 0 : minuteOf(outage.toMs)
  return {
    meanSignsPerMinute: rounded(mean),
    peakRatio: ratio(downFrom),
    longestWaitMinutes: rounded(totals.longestWaitMs / minuteMs),
    failuresPerMinuteAtMost: Math.max(...failures),
    failures: failures.reduce((sum, each) => sum + each, 0),
    expired: totals.expired,
    leastRunwayMinutes: rounded(totals.leastRunwayMs / minuteMs, 1),
    startMinutes: rounded((totals.lastFirstMs - startMs) / minuteMs, 1),
    ...(outage && {
      laterPeakRatio: ratio(downTo + 60),
      outageHours: rounded((outage.toMs - outage.fromMs) / 60 / minuteMs),
      backlog: totals.backlog,
      recoveryMinutes: rounded((totals.lastOfBacklogMs - outage.toMs) / minuteMs, 1),
    }),
  }
}

export function judge({ targets }: Scenario, figures: Figures): Verdict[] {
  return targets.map(([figure, most]) => {
    const value = figures[figure] ?? 0
    return { figure, value, most, holds: value <= most }
  })
}

/** The most in any ten minutes in a row. */
function peak(series: Uint32Array): number {
  let sum = 0
  let most = 0
  for (const [minute, value] of series.entries()) {
    sum += value - (minute >= peakMinutes ? (series[minute - peakMinutes] ?? 0) : 0)
    most = Math.max(most, sum)
  }
  return most
}

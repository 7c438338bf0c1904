/**
 * How often the directory is inspected and repaired if somebody changes it again and again, or its file system shows another face at
 * each look: the first times at once, then so seldom that it costs next to nothing, and still within 30 s. Pure.
 */
import type { Streak } from './target-state.ts'

/** The next repair waits this long after the first, the second one and so on, as if the repair had failed. */
const repairWaitsMs = [0, 0, 0, 1000, 5000, 30_000]
/** Repairs that are further apart have nothing to do with each other. */
const repairsApartMs = 300_000
/** From this one on, somebody is at work against us, and that is told. */
const tellAtRepair = 3

/** A publication is followed by one inspection, and few things happen in a second. */
const mostInspections = 10
const inspectionsApartMs = 1000

export function afterRepair(streak: Streak | undefined, mono: number): Streak {
  return extend(streak, mono, repairsApartMs)
}

/** How long the next repair waits; 0: not at all. */
export function repairInMs(streak: Streak | undefined, mono: number): number {
  if (streak === undefined) return 0
  const waitMs = repairWaitsMs[Math.min(streak.count, repairWaitsMs.length) - 1] ?? 0
  return Math.max(streak.atMono + waitMs - mono, 0)
}

/** Whether that a repair is undone again and again is to be told now: once in a streak. */
export function isContested(streak: Streak | undefined): boolean {
  return streak?.count === tellAtRepair
}

export function afterInspection(streak: Streak | undefined, mono: number): Streak {
  return extend(streak, mono, inspectionsApartMs)
}

/** Whether what was found holds for a moment, however the directory looks: something else must have its turn. */
export function isEnoughInspected(streak: Streak | undefined, mono: number): boolean {
  return streak !== undefined && streak.count >= mostInspections && mono < streak.atMono + inspectionsApartMs
}

function extend(streak: Streak | undefined, atMono: number, apartMs: number): Streak {
  const isNext = streak !== undefined && atMono < streak.atMono + apartMs
  return { count: isNext ? streak.count + 1 : 1, atMono }
}

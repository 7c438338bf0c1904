/** Owns how the outcomes of the fault matrix are shown: on a terminal, and in docs/reliability.md. */
import type { Outcome } from './row.ts'

const headings = ['fault', 'outcome', 'told after', 'recovered after (within)', 'requests/min', 'lost', 'bad'] as const

export function toText(outcomes: readonly Outcome[], leftOut: readonly string[], broken: readonly string[]): string {
  const rows = [headings, ...outcomes.map(cells)]
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [
    '',
    ...lines,
    ...leftOut.map((name) => `left out: ${name}`),
    ...outcomes.flatMap(({ group, name, problems }) =>
      problems.map((problem) => `BROKEN: ${group}: ${name}: ${problem}`),
    ),
    ...broken.map((name) => `FAILED: ${name}`),
    `${summary(outcomes)}\n`,
  ].join('\n')
}

export function toMarkdown(outcomes: readonly Outcome[], leftOut: readonly string[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`
  const table = [line(headings), line(headings.map(() => '---')), ...outcomes.map((each) => line(cells(each)))]
  return [...table, '', `${summary(outcomes)}.`, ...leftOut.map((name) => `- left out: ${name}`)].join('\n')
}

/** The document with another table between its markers. */
export function withTable(document: string, table: string): string {
  const [begin, end] = ['<!-- faults: written by npm run faults -- --write -->', '<!-- faults: end -->']
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`there are no markers ${begin}`)
  return `${document.slice(0, from + begin.length)}\n${table}\n${document.slice(to)}`
}

function cells(outcome: Outcome): string[] {
  const { group, name, visibleAfterSeconds, recoveredAfterSeconds, recoversWithinSeconds, requestsPerMinute } = outcome
  const within = recoversWithinSeconds === undefined ? '' : ` (${recoversWithinSeconds} s)`
  return [
    `${group}: ${name}`,
    outcome.outcome,
    seconds(visibleAfterSeconds),
    recoveredAfterSeconds === undefined ? '–' : `${seconds(recoveredAfterSeconds)}${within}`,
    requestsPerMinute === undefined ? '–' : String(requestsPerMinute),
    String(outcome.lost),
    String(outcome.bad),
  ]
}

function seconds(value: number | undefined): string {
  return value === undefined ? '–' : `${value.toFixed(1)} s`
}

function summary(outcomes: readonly Outcome[]): string {
  const sum = (pick: (outcome: Outcome) => number): number => outcomes.reduce((total, each) => total + pick(each), 0)
  return `${outcomes.length} faults, certificates lost ${sum(({ lost }) => lost)}, bad certificates published ${sum(({ bad }) => bad)}`
}

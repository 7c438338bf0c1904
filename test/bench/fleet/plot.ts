/** Owns the picture of the runs: signed certificates per minute over time, one row a scenario, as an SVG for light and dark. */
import type { Figures } from './measure.ts'
import type { Record } from './record.ts'
import type { Scenario } from './scenarios.ts'

export interface Run {
  readonly scenario: Scenario
  readonly record: Record
  readonly figures: Figures
}

interface Axes {
  /** In minutes since the start of the run. */
  readonly from: number
  readonly to: number
  /** What the axis counts from. */
  readonly zero: number
  readonly highest: number
  readonly top: number
}

const [width, left, right] = [960, 60, 20]
const [rowHeight, plotTop, plotHeight, head, foot] = [190, 44, 108, 66, 16]
const plotWidth = width - left - right
/** What one step of the line is the mean of; the peaks are measured over as long. */
const stepMinutes = 10

const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 } .name { font-size: 13px; font-weight: 600 } .small { font-size: 11px; fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 } .limit { stroke: #bc4c00; stroke-dasharray: 6 4 } .limit-text { font-size: 11px; fill: #bc4c00 }
  .signs { fill: #0969da; fill-opacity: .22; stroke: #0969da; stroke-width: 1.2; stroke-linejoin: round } .outage { fill: #cf222e; fill-opacity: .16 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .limit { stroke: #f0883e } .limit-text { fill: #f0883e }
    .signs { fill: #4493f8; stroke: #4493f8 } .outage { fill: #f85149; fill-opacity: .22 }
  }`

/** @param title tells the fleet */
export function drawRuns(title: string, runs: readonly Run[]): string {
  const height = head + runs.length * rowHeight + foot
  const rows = runs.map((run, index) => drawRow(run, head + index * rowHeight))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}: signed certificates per minute</title>`,
    `<style>${style}\n</style>`,
    text(left, 24, title, 'title'),
    text(left, 44, `Signed certificates per minute, mean of ${stepMinutes} minutes. Red: Vault is down.`, 'small'),
    ...rows.flat(),
    '</svg>\n',
  ].join('\n')
}

function drawRow({ scenario, record, figures }: Run, top: number): string[] {
  const { outage, startMs } = record
  const minuteOf = (atMs: number): number => Math.round((atMs - startMs) / 60_000)
  const window =
    outage === undefined
      ? { from: 0, to: scenario.lengthMs / 60_000, zero: 0 }
      : { from: minuteOf(outage.fromMs) - 360, to: minuteOf(outage.fromMs) + 1440, zero: minuteOf(outage.fromMs) }
  const mean = figures.meanSignsPerMinute
  const limit = scenario.targets.find(([figure]) => figure === 'peakRatio')?.[1]
  const highest = mean * Math.max(figures.peakRatio, limit ?? 0) * 1.12
  const axes: Axes = { ...window, highest, top: top + plotTop }
  const shade = outage && drawOutage(axes, minuteOf(outage.fromMs), minuteOf(outage.toMs))
  return [
    text(left, top + 16, scenario.title, 'name'),
    text(left, top + 32, describe(figures), 'small'),
    ...(shade === undefined ? [] : [shade]),
    ...drawGrid(axes),
    `<path class="signs" d="${linePath(axes, record)}"/>`,
    ...(limit === undefined ? [] : drawLimit(axes, limit * mean, `target: ${limit} × mean`)),
  ]
}

function describe(figures: Figures): string {
  const { meanSignsPerMinute, peakRatio, expired, leastRunwayMinutes, recoveryMinutes, startMinutes } = figures
  const hours = (minutes: number): string =>
    minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`
  return [
    `mean ${meanSignsPerMinute.toFixed(1)} a minute`,
    `10-minute peak ${peakRatio.toFixed(2)} × mean`,
    `least runway ${hours(leastRunwayMinutes)}`,
    `${expired} expired`,
    recoveryMinutes === undefined
      ? `first certificates within ${startMinutes < 1 ? `${Math.ceil(startMinutes * 60)} s` : hours(startMinutes)} (off the scale)`
      : `all caught up ${hours(recoveryMinutes)} after the outage`,
  ].join(' · ')
}

function linePath(axes: Axes, { renewals, firsts }: Record): string {
  const points: string[] = []
  for (let minute = axes.from; minute < axes.to; minute += stepMinutes) {
    let sum = 0
    for (let each = minute; each < minute + stepMinutes; each++) sum += (renewals[each] ?? 0) + (firsts[each] ?? 0)
    const height = y(axes, Math.min(sum / stepMinutes, axes.highest))
    points.push(`H${x(axes, minute)}V${height}`)
  }
  const base = y(axes, 0)
  return `M${x(axes, axes.from)} ${base}${points.join('')}H${x(axes, axes.to)}V${base}Z`
}

function drawOutage(axes: Axes, from: number, to: number): string {
  const start = x(axes, from)
  return `<rect class="outage" x="${start}" y="${axes.top}" width="${fixed(x(axes, to) - start)}" height="${plotHeight}"/>`
}

function drawGrid(axes: Axes): string[] {
  const step = niceStep(axes.highest)
  const levels = Array.from({ length: Math.floor(axes.highest / step) + 1 }, (_, index) => index * step)
  const horizontal = levels.flatMap((level) => [
    `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(axes, level)}" y2="${y(axes, level)}"/>`,
    text(left - 8, y(axes, level) + 4, `${level}`, 'small', 'end'),
  ])
  const everyHours = axes.to - axes.from > 3000 ? 12 : 3
  const ticks: string[] = []
  for (let minute = axes.from; minute <= axes.to; minute += everyHours * 60) {
    const at = x(axes, minute)
    const bottom = axes.top + plotHeight
    ticks.push(`<line class="grid" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>`)
    ticks.push(text(at, bottom + 17, `${(minute - axes.zero) / 60} h`, 'small', 'middle'))
  }
  return [...horizontal, ...ticks]
}

function drawLimit(axes: Axes, level: number, label: string): string[] {
  const height = y(axes, level)
  return [
    `<line class="limit" x1="${left}" x2="${width - right}" y1="${height}" y2="${height}"/>`,
    text(width - right, height - 4, label, 'limit-text', 'end'),
  ]
}

/** 1, 2 or 5 times a power of ten, for about four lines. */
function niceStep(highest: number): number {
  const rough = highest / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power
}

const fixed = (value: number): number => Number(value.toFixed(1))
const x = (axes: Axes, minute: number): number =>
  fixed(left + ((minute - axes.from) / (axes.to - axes.from)) * plotWidth)
const y = (axes: Axes, level: number): number => fixed(axes.top + plotHeight * (1 - level / axes.highest))

function text(atX: number, atY: number, content: string, name: string, anchor = 'start'): string {
  return `<text x="${fixed(atX)}" y="${fixed(atY)}" class="${name}" text-anchor="${anchor}">${content}</text>`
}

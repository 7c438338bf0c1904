/** Owns the picture of the dashboard: every panel at its place, drawn by ECharts as one SVG. */
import { type EChartsOption, init } from 'echarts'
import type { Dashboard, Panel } from '../../support/grafana-dashboard.ts'
import type { RangeSeries } from '../../support/prometheus.ts'
import { formatUnit } from './units.ts'

/** A panel with what its queries gave, named as its legend says. */
export interface DrawnPanel {
  readonly panel: Panel
  readonly series: readonly { readonly name: string; readonly values: RangeSeries['values'] }[]
}

const [width, margin, rowHeight, gap, head] = [1320, 12, 30, 8, 44]
const columnWidth = (width - 2 * margin) / 24
const palette = ['#3274d9', '#e0752d', '#299c46', '#a352cc', '#c4162a', '#0a9fb3', '#8f6b00', '#5a6270']
const colors: Readonly<Record<string, string>> = {
  green: '#299c46',
  red: '#c4162a',
  orange: '#e0752d',
  blue: '#3274d9',
}
const ink = '#24292e'
const faint = '#6a737d'
const font = 'system-ui, sans-serif'

type Part<Name extends keyof EChartsOption> = Exclude<EChartsOption[Name], undefined | unknown[]>

interface Parts {
  /** Length of all axes of time. */
  readonly hours: number
  readonly grid: Part<'grid'>[]
  readonly xAxis: Part<'xAxis'>[]
  readonly yAxis: Part<'yAxis'>[]
  readonly series: NonNullable<Extract<EChartsOption['series'], unknown[]>>
  readonly legend: Part<'legend'>[]
  readonly visualMap: Part<'visualMap'>[]
  readonly graphic: object[]
}

interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** @param subtitle tells whose figures these are */
export function drawDashboard(
  { title }: Dashboard,
  { subtitle, hours }: { readonly subtitle: string; readonly hours: number },
  drawn: readonly DrawnPanel[],
): string {
  const height = Math.max(...drawn.map(({ panel }) => boxOf(panel).top + boxOf(panel).height)) + margin
  const parts: Parts = { hours, grid: [], xAxis: [], yAxis: [], series: [], legend: [], visualMap: [], graphic: [] }
  parts.graphic.push(
    { type: 'rect', silent: true, z: -10, shape: { x: 0, y: 0, width, height }, style: { fill: '#f4f5f5' } },
    text(margin + 4, 12, title, `600 18px ${font}`),
    text(margin + 200, 16, subtitle, `13px ${font}`, faint),
  )
  for (const each of drawn) drawPanel(each, parts)
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  const { hours: _hours, ...option } = parts
  chart.setOption({ animation: false, color: palette, textStyle: { fontFamily: font }, ...option } as EChartsOption)
  // Tenths of a pixel are enough.
  const svg = chart.renderToSVGString().replaceAll(/ d="[^"]*"/g, (path) => path.replaceAll(/(\.\d)\d+/g, '$1'))
  chart.dispose()
  return `${svg}\n`
}

function boxOf({ gridPos: { x, y, w, h } }: Panel): Box {
  return {
    left: margin + x * columnWidth + gap / 2,
    top: head + y * rowHeight + gap / 2,
    width: w * columnWidth - gap,
    height: h * rowHeight - gap,
  }
}

function drawPanel(drawn: DrawnPanel, parts: Parts): void {
  const { panel } = drawn
  const box = boxOf(panel)
  if (panel.type === 'row') {
    parts.graphic.push(text(box.left, box.top + 4, panel.title, `600 14px ${font}`))
    return
  }
  const { left: x, top: y, width: w, height: h } = box
  parts.graphic.push(
    {
      type: 'rect',
      silent: true,
      z: -5,
      shape: { x, y, width: w, height: h, r: 3 },
      style: { fill: '#fff', stroke: '#dcdee1' },
    },
    text(x + 10, y + 9, panel.title, `600 13px ${font}`),
  )
  if (drawn.series.length === 0) parts.graphic.push(centred('No data', box, `13px ${font}`, faint))
  else if (panel.type === 'stat') drawStat(drawn, box, parts)
  else if (panel.type === 'heatmap') drawHeatmap(drawn, box, parts)
  else drawLines(drawn, box, parts)
}

function drawStat({ panel, series }: DrawnPanel, box: Box, parts: Parts): void {
  const { unit, thresholds } = panel.fieldConfig?.defaults ?? {}
  const value = series[0]?.values.at(-1)?.[1] ?? 0
  const step = thresholds?.steps.findLast(({ value: from }) => from === null || value >= from)
  parts.graphic.push(centred(formatUnit(value, unit), box, `600 30px ${font}`, colors[step?.color ?? ''] ?? ink))
}

function centred(content: string, { left, top, width: w, height: h }: Box, fontName: string, fill: string): object {
  const style = { text: content, font: fontName, fill, align: 'center' }
  return { type: 'text', x: left + w / 2, y: top + h / 2, silent: true, style }
}

/** The axes of a panel; answers their index. */
function addAxes({ panel, series }: DrawnPanel, box: Box, parts: Parts, yAxis: Part<'yAxis'>): number {
  const index = parts.grid.length
  const { hours } = parts
  const { left, top, width: w, height: h } = box
  parts.grid.push({ left: left + 56, top: top + 38, width: w - 76, height: h - (series.length > 0 ? 92 : 66) })
  const axis = { gridIndex: index, axisLine: { lineStyle: { color: '#c7cbd1' } }, axisTick: { show: false } }
  const label = { color: faint, fontSize: 11, hideOverlap: true }
  const time = {
    ...axis,
    type: 'value',
    min: 0,
    max: hours,
    interval: 6,
    splitLine: { show: false },
    axisLabel: { ...label, formatter: '{value} h' },
  } as const
  parts.xAxis.push(time)
  const { unit, min } = panel.fieldConfig?.defaults ?? {}
  parts.yAxis.push({
    ...axis,
    type: 'value',
    splitNumber: 4,
    ...(min === undefined ? {} : { min }),
    splitLine: { lineStyle: { color: '#eceef0' } },
    axisLabel: { ...label, formatter: (value: number) => formatUnit(value, unit) },
    ...yAxis,
  } as Part<'yAxis'>)
  return index
}

function drawLines(drawn: DrawnPanel, box: Box, parts: Parts): void {
  const { panel, series } = drawn
  const { unit, custom } = panel.fieldConfig?.defaults ?? {}
  const ofSeconds = unit === 's' ? secondsAxis(series) : {}
  const index = addAxes(drawn, box, parts, ofSeconds)
  const isStacked = custom?.stacking?.mode === 'normal'
  const times = timesOf(series)
  const isBars = custom?.drawStyle === 'bars'
  for (const [at, { name, values }] of series.entries()) {
    parts.series.push({
      type: isBars ? 'bar' : 'line',
      name: `${panel.title}\n${name}`,
      xAxisIndex: index,
      yAxisIndex: index,
      data: isStacked ? onGrid(values, times) : values.map(([hours, value]) => [hours, value]),
      color: palette[at % palette.length],
      ...(isStacked ? { stack: panel.title } : {}),
      ...(isBars
        ? { barWidth: 4 }
        : {
            showSymbol: false,
            lineStyle: { width: 1.6 },
            ...(custom?.fillOpacity ? { areaStyle: { opacity: custom.fillOpacity / 100 } } : {}),
          }),
    } as Parts['series'][number])
  }
  parts.legend.push({
    data: series.map(({ name }) => `${panel.title}\n${name}`),
    formatter: (name: string) => name.slice(name.indexOf('\n') + 1),
    left: box.left + 10,
    top: box.top + box.height - 26,
    width: box.width - 20,
    type: 'scroll',
    itemGap: 28,
    itemWidth: 14,
    itemHeight: 3,
    icon: 'rect',
    textStyle: { color: ink, fontSize: 11 },
  })
}

/** Hours are counted in hours, not in tens of thousands of seconds. */
function secondsAxis(series: DrawnPanel['series']): object {
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.map(([, value]) => value)))
  return highest > 7200 ? { interval: highest > 50_000 ? 21_600 : 7200 } : {}
}

function drawHeatmap(drawn: DrawnPanel, box: Box, parts: Parts): void {
  const series = drawn.series.toSorted((one, other) => Number.parseFloat(one.name) - Number.parseFloat(other.name))
  const rows = series.map(({ name }) => name)
  const index = addAxes({ ...drawn, series: [] }, box, parts, {
    type: 'category',
    data: rows,
    splitLine: { show: false },
    axisLabel: { color: faint, fontSize: 11 },
  })
  const times = timesOf(series)
  parts.xAxis[index] = {
    gridIndex: index,
    type: 'category',
    data: times.map((hours) => `${Math.round(hours)} h`),
    axisTick: { show: false },
    axisLabel: {
      color: faint,
      fontSize: 11,
      interval: (at: number) => (times[at] ?? 0) % 6 === 0,
    },
  } as Part<'xAxis'>
  const cells = series.flatMap(({ values }, row) => values.map(([hours, value]) => [times.indexOf(hours), row, value]))
  parts.visualMap.push({
    seriesIndex: parts.series.length,
    show: false,
    min: 0,
    max: Math.max(...cells.map(([, , value]) => value ?? 0)),
    inRange: { color: ['#eef4fc', '#9cc3f0', '#3274d9', '#12397a'] },
  })
  parts.series.push({ type: 'heatmap', name: drawn.panel.title, xAxisIndex: index, yAxisIndex: index, data: cells })
}

function timesOf(series: DrawnPanel['series']): number[] {
  return [...new Set(series.flatMap(({ values }) => values.map(([hours]) => hours)))].toSorted((a, b) => a - b)
}

/** Lines are stacked point by point: each needs all of them. */
function onGrid(values: RangeSeries['values'], times: readonly number[]): [number, number][] {
  const known = new Map(values)
  return times.map((hours) => [hours, known.get(hours) ?? 0])
}

function text(x: number, y: number, content: string, fontName: string, fill = ink): object {
  return { type: 'text', x, y, silent: true, style: { text: content, font: fontName, fill } }
}

/** Owns asking a real Prometheus, which holds the days of a simulated fleet, what the dashboard asks. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Dashboard, fillIn, type Panel } from '../../support/grafana-dashboard.ts'
import { type Prometheus, type QueryRange, type RangeSeries, startPrometheus } from '../../support/prometheus.ts'
import { defaultFleet, type Fleet, type Scenario } from '../fleet/scenarios.ts'
import { simulate } from '../fleet/simulation.ts'
import type { DrawnPanel } from './draw.ts'
import { createScrapes } from './scrapes.ts'

export interface DashboardView {
  readonly nodes: number
  /** Which node the node's part of the dashboard shows. */
  readonly node: string
  /** How much of the end is shown, in steps of. */
  readonly hours: number
  readonly stepSeconds: number
}

const hourMs = 3_600_000
const startMs = Date.UTC(2026, 2, 1)
const intervalMs = 600_000
/** At the left edge of what is shown, the renewals of the mass start are over. */
export const scenario: Scenario = {
  name: 'dashboard',
  title: 'Vault is sealed for 8 hours',
  lengthMs: 72 * hourMs,
  outage: { atMs: 48 * hourMs, ends: { afterMs: 8 * hourMs } },
  targets: [],
}

/** Answers the panels with what they show. */
export async function queryDashboard(dashboard: Dashboard, view: DashboardView): Promise<DrawnPanel[]> {
  const prometheus = await startFilled({ ...defaultFleet, nodes: view.nodes }, JSON.stringify(dashboard.panels))
  const toSeconds = (startMs + scenario.lengthMs) / 1000
  const range = { fromSeconds: toSeconds - view.hours * 3600, toSeconds, stepSeconds: view.stepSeconds }
  try {
    return await Promise.all(
      dashboard.panels.map(async (panel) => ({
        panel: { ...panel, title: fillIn(panel.title, { node: view.node }) },
        series: await ask(prometheus, panel, view.node, range),
      })),
    )
  } finally {
    await prometheus.stop()
  }
}

async function startFilled(fleet: Fleet, queries: string): Promise<Prometheus> {
  const root = mkdtempSync(join(tmpdir(), 'dashboard-'))
  try {
    const file = join(root, 'scrapes.txt')
    writeFileSync(file, '')
    const scrapes = createScrapes({
      fleet,
      startMs,
      intervalMs,
      isWanted: (metric) => queries.includes(`calico_vault_agent_${metric}`),
      write: (lines) => appendFileSync(file, lines),
    })
    simulate(fleet, scenario, scrapes.witness)
    await scrapes.finish(startMs + scenario.lengthMs)
    return await startPrometheus(file, (intervalMs / 1000) * 1.5)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function ask(
  prometheus: Prometheus,
  { targets = [] }: Panel,
  node: string,
  range: QueryRange,
): Promise<DrawnPanel['series']> {
  const answers = await Promise.all(
    targets.map(async ({ expr, legendFormat }) => {
      const found = await prometheus.queryRange(fillIn(expr, { node }), range)
      return found.map(({ labels, values }) => ({ name: legend(legendFormat, labels), values: inHours(values, range) }))
    }),
  )
  return answers.flat()
}

function legend(format: string, labels: RangeSeries['labels']): string {
  return format.replaceAll(/\{\{(\w+)\}\}/g, (_whole, label: string) => labels[label] ?? '')
}

/** Since the left edge. */
function inHours(values: RangeSeries['values'], { fromSeconds }: QueryRange): RangeSeries['values'] {
  return values.map(([seconds, value]) => [(seconds - fromSeconds) / 3600, value] as const)
}

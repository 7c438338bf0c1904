/**
 * Owns `npm run dashboard`: the picture docs/dashboard.svg of the Grafana dashboard. A simulated fleet's days with an outage of Vault
 * are given to a real Prometheus, which answers the queries of the dashboard as it is in manifests/monitoring.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fillIn, type Panel, readDashboard } from '../support/grafana-dashboard.ts'
import { type Prometheus, type QueryRange, type RangeSeries, startPrometheus } from '../support/prometheus.ts'
import { type DrawnPanel, drawDashboard } from './dashboard/draw.ts'
import { createScrapes } from './dashboard/scrapes.ts'
import { defaultFleet, type Scenario } from './fleet/scenarios.ts'
import { simulate } from './fleet/simulation.ts'

const hourMs = 3_600_000
const fleet = { ...defaultFleet, nodes: 60 }
const scenario: Scenario = {
  name: 'dashboard',
  title: 'Vault is sealed for 8 hours',
  lengthMs: 72 * hourMs,
  outage: { atMs: 48 * hourMs, ends: { afterMs: 8 * hourMs } },
  targets: [],
}
const startMs = Date.UTC(2026, 2, 1)
const intervalMs = 600_000
const shownHours = 36
const node = 'node-7'

const dashboard = readDashboard()
const queries = JSON.stringify(dashboard.panels)
const root = mkdtempSync(join(tmpdir(), 'dashboard-'))
let prometheus: Prometheus | undefined
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
  const endMs = startMs + scenario.lengthMs
  await scrapes.finish(endMs)
  prometheus = await startPrometheus(file, (intervalMs / 1000) * 1.5)
  const toSeconds = endMs / 1000
  const range = { fromSeconds: toSeconds - shownHours * 3600, toSeconds, stepSeconds: 1200 }
  const drawn: DrawnPanel[] = []
  for (const panel of dashboard.panels) drawn.push({ panel: named(panel), series: await ask(prometheus, panel, range) })
  const subtitle = `${fleet.nodes} simulated nodes with two certificates of 24 hours each. ${scenario.title}. Drawn from the answers of a real Prometheus.`
  writeFileSync('docs/dashboard.svg', drawDashboard(dashboard, { subtitle, hours: shownHours }, drawn))
} finally {
  await prometheus?.stop()
  rmSync(root, { recursive: true, force: true })
}

function named(panel: Panel): Panel {
  return { ...panel, title: fillIn(panel.title, { node }) }
}

async function ask(server: Prometheus, { targets = [] }: Panel, range: QueryRange): Promise<DrawnPanel['series']> {
  const answers = await Promise.all(
    targets.map(async ({ expr, legendFormat }) => {
      const found = await server.queryRange(fillIn(expr, { node }), range)
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

/**
 * Owns `npm run dashboard`: the picture docs/dashboard.svg of the Grafana dashboard, as it is in manifests/monitoring, over a simulated
 * fleet's days with an outage of Vault.
 */
import { writeFileSync } from 'node:fs'
import { readDashboard } from '../support/grafana-dashboard.ts'
import { drawDashboard } from './dashboard/draw.ts'
import { queryDashboard, scenario } from './dashboard/query.ts'

const view = { nodes: 60, node: 'node-7', hours: 36, stepSeconds: 1200 }
const subtitle = `${view.nodes} simulated nodes with two certificates of 24 hours each. ${scenario.title}. Drawn from the answers of a real Prometheus.`
const dashboard = readDashboard()
const panels = await queryDashboard(dashboard, view)
writeFileSync('docs/dashboard.svg', drawDashboard(dashboard, { subtitle, hours: view.hours }, panels))

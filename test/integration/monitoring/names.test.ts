/** Proves that rules and dashboard are valid, and ask for nothing that an agent does not say: a renamed metric or label fails here. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { stringify } from 'yaml'
import { systemClock } from '../../../agent/core/clock.ts'
import { runbookOf } from '../../../agent/core/reason.ts'
import { readAlerts, readRules } from '../../../build/alert-rules.ts'
import { fillIn, readDashboard } from '../../support/grafana-dashboard.ts'
import { hasPromtool, runPromtool } from '../../support/promtool.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createToldMetrics } from '../../support/told-metrics.ts'
import { targetOf } from './recording.ts'

const alertRules = readAlerts()
const provision = { usersPerNode: 1, otherUsers: 1 }
const families = createToldMetrics({ components: [], version: '', clock: systemClock, provision }).families()

/** Labels by the name of what can be asked for. */
const known = new Map(
  families.flatMap(({ name, type, labelNames }): [string, readonly string[]][] =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, [...labelNames, 'le']],
          [`${name}_sum`, labelNames],
          [`${name}_count`, labelNames],
        ]
      : [[name, labelNames]],
  ),
)
/** What others say: Prometheus itself and kube-state-metrics. */
const foreign: Readonly<Record<string, readonly string[]>> = {
  up: [],
  kube_pod_info: ['created_by_kind', 'created_by_name'],
  kube_pod_status_phase: ['phase'],
}

const panels = readDashboard().panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr: fillIn(expr, { node: 'node1' }), legendFormat })),
)
const variables = readDashboard().templating.list.flatMap(({ name, definition }) =>
  definition === undefined ? [] : [{ title: `$${name}`, expr: definition, legendFormat: '' }],
)
const queries = [
  ...alertRules.map(({ alert, expr }) => ({ title: alert, expr, legendFormat: '' })),
  ...panels,
  ...variables,
]

test.each(queries)('$title: $expr asks for what there is', ({ expr, legendFormat }) => {
  const bare = expr.replaceAll(/"[^"]*"/g, '""')
  const names = [...bare.matchAll(/\b(calico_vault_agent_\w+|up|kube_\w+)\b/g)].map(([name]) => name)
  expect(names.length).toBeGreaterThan(0)
  const labels = names.flatMap((name) => known.get(name) ?? foreign[name] ?? [`(${name} does not exist)`])
  const allowed = new Set([...labels, ...Object.keys(targetOf('node1')), 'percent'])
  expect(labels.filter((label) => label.startsWith('('))).toEqual([])
  const matched = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label),
  )
  const grouped = [...bare.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)].flatMap(
    ([, inside = '']) => inside.split(',').map((label) => label.trim()),
  )
  const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
  for (const label of [...matched, ...grouped, ...shown]) if (label !== '') expect([...allowed]).toContain(label)
})

test.each(alertRules)('$alert says how bad it is, and where to read on', ({ alert, labels, annotations }) => {
  expect(['critical', 'warning', 'info']).toContain(labels.severity)
  expect([runbookOf(alert), 'docs/runbook.md#{{ $labels.reason }}']).toContain(annotations.runbook_url)
  expect(annotations.summary).toMatch(/^\S.{10,}$/)
  expect(annotations.description).toMatch(/^\S.*\.$/)
})

test.each(alertRules)('$alert is shown to fire', ({ alert }) => {
  const tests = ['alerts.test.ts', 'fleet-alerts.test.ts'].map((file) =>
    readFileSync(join(import.meta.dirname, file), 'utf8'),
  )
  // A row of a table of what fires, which is held against promtool.
  expect(tests.join('')).toMatch(new RegExp(`\\b${alert}: [1-9]`))
})

describe.skipIf(!hasPromtool)(`promtool${hasPromtool ? '' : ' (left out: it is not installed)'}`, () => {
  const check = async (rules: object): Promise<string> => {
    const file = join(tempDir(), 'rules.yaml')
    writeFileSync(file, stringify(rules, { lineWidth: 0 }))
    return await runPromtool(['check', 'rules', file])
  }

  it('finds nothing wrong with the rules', async () => {
    expect(await check(readRules())).toContain(`SUCCESS: ${alertRules.length} rules found`)
  })

  it('can parse every query of the dashboard', async () => {
    const rules = panels.map(({ expr }, index) => ({ record: `panel_${index}`, expr }))
    expect(await check({ groups: [{ name: 'dashboard', rules }] })).toContain(`SUCCESS: ${panels.length} rules found`)
  })
})

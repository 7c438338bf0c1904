/** Proves that the dashboard shows something: a real Prometheus answers its queries over the days of a simulated fleet. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { queryDashboard } from '../../bench/dashboard/query.ts'
import { readDashboard } from '../../support/grafana-dashboard.ts'
import { hasPromtool } from '../../support/promtool.ts'

const hasPrometheus = hasPromtool && spawnSync('prometheus', ['--version']).status === 0
const leftOut = hasPrometheus ? '' : ' (left out: no prometheus)'

test.skipIf(!hasPrometheus)(`every panel shows what a fleet lives through${leftOut}`, { timeout: 60_000 }, async () => {
  const view = { nodes: 4, node: 'node-1', hours: 36, stepSeconds: 1200 }
  const panels = await queryDashboard(readDashboard(), view)
  const empty = panels.filter(({ panel, series }) => panel.type !== 'row' && series.length === 0)
  // Nothing is refused there.
  expect(empty.map(({ panel }) => panel.title)).toEqual(['Refused by the gate'])
  const valuesOf = (title: string, name: string): number[] => {
    const { series = [] } = panels.find(({ panel }) => panel.title === title) ?? {}
    return series.find((each) => each.name === name)?.values.map(([, value]) => value) ?? []
  }
  expect(valuesOf('Agents', 'Agents').at(-1)).toBe(4)
  expect(valuesOf('Certificates in place', 'Certificates in place').at(-1)).toBe(8)
  // While Vault was sealed, renewals were planned and not made; afterwards everything was.
  expect(Math.max(...valuesOf('Cannot be renewed, by reason', 'vault-sealed'))).toBeGreaterThan(0)
  expect(valuesOf('Cannot be renewed', 'Cannot be renewed').at(-1)).toBe(0)
  expect(Math.min(...valuesOf('Renewals against plan', 'renewed within the hour'))).toBe(0)
  expect(Math.max(...valuesOf('Renewals against plan', 'renewed within the hour'))).toBeGreaterThan(1)
  expect(Math.min(...valuesOf('Runway', 'least'))).toBeGreaterThan(0)
  expect(Math.max(...valuesOf('Requests to Vault', 'issuers failed'))).toBeGreaterThan(0)
})

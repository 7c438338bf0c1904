/** Proves that manifests/monitoring is what `kubectl apply -k` takes: the rules for the operator, the dashboard for Grafana's sidecar. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readRules } from '../../../build/alert-rules.ts'
import { readDashboard } from '../../support/grafana-dashboard.ts'

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0
const leftOut = hasKubectl ? '' : ' (left out: no kubectl)'
const directory = join(import.meta.dirname, '../../../manifests/monitoring')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: unknown
}

test.skipIf(!hasKubectl)(`kustomize makes the rules and the dashboard${leftOut}`, () => {
  const { stdout, stderr } = spawnSync('kubectl', ['kustomize', directory], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
  expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'ConfigMap calico-vault-agent-dashboard',
    'PrometheusRule calico-vault-agent',
  ])
  const [dashboard, rules] = manifests
  expect(dashboard?.metadata.labels).toEqual({ grafana_dashboard: '1' })
  expect(JSON.parse(dashboard?.data?.['calico-vault-agent.json'] ?? '')).toEqual(readDashboard())
  expect(rules?.spec).toEqual(readRules())
})

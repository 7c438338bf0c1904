/** Owns reading the alerting rules of manifests/monitoring, for the documentation and the tests. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string }
}

/** What Prometheus reads: the `spec` of the PrometheusRule. */
export interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[]
}

const file = join(import.meta.dirname, '../manifests/monitoring/prometheus-rule.yaml')

export function readRules(): Rules {
  return (parse(readFileSync(file, 'utf8')) as { readonly spec: Rules }).spec
}

export function readAlerts(): readonly AlertRule[] {
  return readRules().groups.flatMap(({ rules }) => rules)
}

/** Owns running the alerting rules over recorded series, in Prometheus' own rule tester (promtool). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readAlerts, readRules } from '../../../build/alert-rules.ts'
import { runPromtool } from '../../support/promtool.ts'
import { tempDir } from '../../support/temp-dir.ts'
import type { InputSeries } from './recording.ts'

/** Alerts that fire, and how many of each. */
export type Firing = Readonly<Record<string, number>>

export interface RuleTest {
  readonly series: readonly InputSeries[]
  /** Exactly these fire, by minute. */
  readonly firing: Readonly<Record<number, Firing>>
  /** Annotations of an alert, as they are sent. */
  readonly sends?: readonly Sent[]
}

export interface Sent {
  readonly minute: number
  readonly alert: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** An alert with the description of its rule, which has no variables. */
export function sent(minute: number, alert: string, labels: Sent['labels'], annotations: Sent['annotations']): Sent {
  const description = readAlerts().find((rule) => rule.alert === alert)?.annotations.description ?? ''
  return { minute, alert, labels, annotations: { description, ...annotations } }
}

/** Rejects with promtool's words where something else fires. */
export async function testRules({ series, firing, sends = [] }: RuleTest): Promise<void> {
  const directory = tempDir()
  writeFileSync(join(directory, 'rules.yaml'), stringify(readRules()))
  const test = {
    rule_files: ['rules.yaml'],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: series,
        promql_expr_test: Object.entries(firing).map(([minute, alerts]) => ({
          expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: `${minute}m`,
          exp_samples: Object.entries(alerts).map(([alertname, value]) => ({
            labels: `{alertname="${alertname}"}`,
            value,
          })),
        })),
        alert_rule_test: sends.map(({ minute, alert, labels, annotations }) => ({
          eval_time: `${minute}m`,
          alertname: alert,
          exp_alerts: [{ exp_labels: labels, exp_annotations: annotations }],
        })),
      },
    ],
  }
  // Long lines stay lines: promtool reads YAML 1.1.
  writeFileSync(join(directory, 'test.yaml'), stringify(test, { lineWidth: 0 }))
  await runPromtool(['test', 'rules', join(directory, 'test.yaml')])
}

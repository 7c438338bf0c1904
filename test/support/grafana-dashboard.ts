/** Owns reading the Grafana dashboard: its panels, and their queries as Grafana would send them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Panel {
  readonly type: 'row' | 'stat' | 'timeseries' | 'heatmap'
  readonly title: string
  readonly description?: string
  /** In 24ths of the width, and rows of 30 pixels. */
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string
      readonly min?: number
      readonly thresholds?: { readonly steps: readonly { readonly color: string; readonly value: number | null }[] }
      readonly custom?: {
        readonly drawStyle?: string
        readonly fillOpacity?: number
        readonly stacking?: { readonly mode: string }
      }
    }
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export interface Dashboard {
  readonly title: string
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

const file = join(import.meta.dirname, '../../manifests/monitoring/dashboards/calico-vault-agent.json')

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(file, 'utf8')) as Dashboard
}

/** With the variables of the dashboard filled in. */
export function fillIn(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\w+)/g, (whole, name: string) => variables[name] ?? whole)
}

/** Owns the metrics of an agent with what they read: whatever is told is told to both, as `observe` does (agent/sidecar/background.ts). */
import { createMetrics, type Metrics, type MetricsOptions } from '../../agent/sidecar/observe/metrics.ts'
import { createPresent } from '../../agent/sidecar/observe/present.ts'

export interface ToldMetricsOptions extends Omit<MetricsOptions, 'present'> {
  readonly components: readonly string[]
}

export function createToldMetrics({ components, ...options }: ToldMetricsOptions): Metrics {
  const present = createPresent(components, options.clock)
  const metrics = createMetrics({ present, ...options })
  return {
    ...metrics,
    listener: (event) => {
      present.listener(event)
      metrics.listener(event)
    },
  }
}

/** Owns the metrics of the CNI plugin's copy on the host: there only with AGENT_HOST_CNI_DIR. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { AgentEvent } from './events.ts'

const prefix = 'calico_vault_agent_host_copy_'

type HostCopyEvent = Extract<AgentEvent, { type: 'host-copied' | 'host-copy-failed' }>

export function createHostCopyMetrics(registers: Registry[]): (event: HostCopyEvent) => void {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: prefix + name, help, labelNames: ['component'], registers })
  const inStep = gauge(
    'in_step',
    "1 where the CNI plugin's copy holds what is published, 0 where it is stale or absent; only with AGENT_HOST_CNI_DIR.",
  )
  const end = gauge(
    'not_after_timestamp_seconds',
    "End of the certificate that was last seen in the CNI plugin's copy.",
  )
  const writes = new Counter({
    name: `${prefix}writes_total`,
    help: "Times that the CNI plugin's copy was written.",
    labelNames: ['component'],
    registers,
  })
  const failures = new Counter({
    name: `${prefix}failures_total`,
    help: "Looks at the CNI plugin's copy that failed, by reason.",
    labelNames: ['component', 'reason'],
    registers,
  })

  return (event) => {
    const { component } = event
    inStep.set({ component }, event.type === 'host-copied' ? 1 : 0)
    if (event.type === 'host-copy-failed') return failures.inc({ component, reason: event.reason })
    writes.inc({ component }, event.written ? 1 : 0)
    end.set({ component }, event.notAfterMs / 1000)
  }
}

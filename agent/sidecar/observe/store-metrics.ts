/** Owns the metrics of what is kept on disk beside the certificate: the issuance budget, flaws, the CNI plugin's copy. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import type { AgentEvent } from './events.ts'
import type { StateGauges } from './state-gauges.ts'

type StoreEvent = Extract<AgentEvent, { type: 'store-flaw' | 'host-copied' | 'host-copy-failed' }>

const prefix = 'calico_vault_agent_'

export function createStoreMetrics(
  registers: Registry[],
  clock: Clock,
  ofState: StateGauges,
): (event: StoreEvent) => void {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: prefix + name, help, labelNames: ['component'], registers })
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: prefix + name, help, labelNames, registers })

  ofState.add(
    'issuance_budget_remaining',
    'Certificates that may still be made within the hour; at 0, renewals wait until they are needed to stay valid.',
    (state) =>
      state?.budget &&
      Math.max(0, state.budget.limit - state.budget.spentUntilMs.filter((ms) => ms > clock.now()).length),
  )
  const flaws = counter('store_flaws_total', 'Flaws of the directory that stop nothing, by reason.', [
    'component',
    'reason',
  ])
  const inStep = gauge(
    'host_copy_in_step',
    "1 where the CNI plugin's copy holds what is published, 0 where it is stale or absent; only with AGENT_HOST_CNI_DIR.",
  )
  const copyEnd = gauge(
    'host_copy_not_after_timestamp_seconds',
    "End of the certificate that was last seen in the CNI plugin's copy.",
  )
  const writes = counter('host_copy_writes_total', "Times that the CNI plugin's copy was written.", ['component'])
  const failures = counter('host_copy_failures_total', "Looks at the CNI plugin's copy that failed, by reason.", [
    'component',
    'reason',
  ])

  return (event) => {
    const { component } = event
    switch (event.type) {
      case 'store-flaw':
        flaws.inc({ component, reason: event.reason })
        break
      case 'host-copied':
        writes.inc({ component }, event.written ? 1 : 0)
        copyEnd.set({ component }, event.notAfterMs / 1000)
        inStep.set({ component }, 1)
        break
      case 'host-copy-failed':
        failures.inc({ component, reason: event.reason })
        inStep.set({ component }, 0)
    }
  }
}

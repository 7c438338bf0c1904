/** Owns which of the schedule's plans holds for a target: its slot, or what is expected of whoever makes the certificates. */
import type { Config } from '../config/config.ts'
import type { Validity } from '../pki/certificate.ts'
import { planExpected, planRenewal, type RenewalPlan, slotOf } from './schedule.ts'

/** When a certificate of this validity is renewed that was obtained at this moment. */
export type Planner = (validity: Validity, issuedAtMs: number) => RenewalPlan

export function createPlanner(
  { source, cluster, node, renewAt }: Pick<Config, 'source' | 'cluster' | 'node' | 'renewAt'>,
  component: string,
): Planner {
  if (source.kind !== 'pki') return planExpected
  const slot = slotOf({ cluster, node, component })
  return (validity, issuedAtMs) => planRenewal(validity, issuedAtMs, slot, renewAt)
}

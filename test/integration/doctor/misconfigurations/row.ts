/** Owns what a misconfiguration is: how it is made on a stack that is in order, and what `doctor` must say of it. */
import type { ReasonCode } from '../../../../agent/core/reason-catalog.ts'
import type { DoctorRun, Patient, Stack } from '../stack.ts'

export interface Misconfiguration {
  readonly title: string
  /** Makes it; what concerns servers is undone when the test ends. */
  readonly spoil: (stack: Stack, patient: Patient) => Promise<DoctorRun> | DoctorRun
  readonly check: string
  /** Default: failure. */
  readonly status?: 'failure' | 'warning'
  /** Where the runbook tells about it. */
  readonly reason?: ReasonCode
  readonly saw: RegExp
  readonly advice: RegExp
  /** Other checks that cannot be in order then either. */
  readonly also?: readonly string[]
}

export const withEnv =
  (env: NonNullable<DoctorRun['env']>): Misconfiguration['spoil'] =>
  () => ({ env })

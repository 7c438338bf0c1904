/**
 * Owns keeping the CNI plugin's copy in step with what is published: after every publication, whenever somebody changes the
 * copy, and now and then. It is told what to copy from memory, the bundle that has passed the gate, and touches nothing else.
 */

import { type BackoffState, planRetry } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { createLoop } from '../core/retry-loop.ts'
import type { Bundle } from '../pki/bundle.ts'
import { validityOf } from '../pki/certificate.ts'
import type { Listener } from './observe/events.ts'
import type { HostCniDir } from './store/host-cni-dir.ts'

export interface HostCopyOptions {
  readonly component: string
  readonly directory: HostCniDir
  /** What stands in the component's directory and has passed the gate. */
  readonly published: () => Bundle | undefined
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly emit: Listener
}

export interface HostCopy {
  /** Runs until `stop`. Rejects only for bugs. */
  run(stop: AbortSignal): Promise<void>
  /** The bundle or the copy may have changed: compares now. */
  recheck(): void
}

/** Comparing costs a few reads; it is all there is if the host's directory cannot be watched. */
const longestSleepMs = 60_000

export function createHostCopy(options: HostCopyOptions): HostCopy {
  const { component, directory, published, clock, random, emit } = options
  const { path } = directory
  let failed: { readonly reason: ReasonCode; readonly backoff: BackoffState } | undefined
  /** Serial number of the certificate that was last seen in step. */
  let inStep: string | undefined
  const loop = createLoop(clock, sync)

  function scheduleRetry(error: AgentError, notAfterMs: number): number {
    const { code: reason, retry } = error
    const repeated = failed?.reason === reason
    const failure = { class: retry, runwayMs: notAfterMs - clock.now() }
    const [delayMs, backoff] = planRetry(failed?.backoff, failure, random())
    failed = { reason, backoff }
    inStep = undefined
    const sleepMs = Math.min(delayMs, longestSleepMs)
    const retryAtMs = clock.now() + sleepMs
    emit({ type: 'host-copy-failed', component, path, reason, detail: error.message, retryAtMs, repeated })
    return sleepMs
  }

  /** Answers how long there is nothing to do. */
  function sync(): number {
    const bundle = published()
    if (bundle === undefined) return longestSleepMs
    const { notAfterMs } = validityOf(bundle.leaf)
    const { serialNumber } = bundle.leaf
    try {
      const written = directory.sync(bundle.text, new Date(clock.now()))
      if (written || inStep !== serialNumber) {
        emit({ type: 'host-copied', component, path, written, serialNumber, notAfterMs })
      }
      inStep = serialNumber
      failed = undefined
      return longestSleepMs
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      return scheduleRetry(error, notAfterMs)
    }
  }

  return { run: loop.run, recheck: loop.wake }
}

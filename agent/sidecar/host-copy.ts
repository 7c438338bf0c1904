/**
 * Owns keeping the CNI plugin's copy in step with what is published: after every publication, whenever somebody changes the
 * copy, and now and then. It is told what to copy from memory, the bundle that has passed the gate, and touches nothing else.
 */

import { createRetries } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import type { AgentError } from '../core/errors.ts'
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
  const retries = createRetries(random)
  /** The reason of the last attempt, if it failed. */
  let failedFor: ReasonCode | undefined
  /** Serial number of the certificate that was last seen in step. */
  let inStep: string | undefined
  const loop = createLoop(clock, sync, scheduleRetry)

  function scheduleRetry(error: AgentError): number {
    const { code: reason } = error
    const repeated = failedFor === reason
    failedFor = reason
    inStep = undefined
    const bundle = published()
    const runwayMs = bundle === undefined ? 0 : validityOf(bundle.leaf).notAfterMs - clock.now()
    const sleepMs = Math.min(retries.delayMs(error, runwayMs), longestSleepMs)
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
    const written = directory.sync(bundle.text, new Date(clock.now()))
    if (written || inStep !== serialNumber) {
      emit({ type: 'host-copied', component, path, written, serialNumber, notAfterMs })
    }
    inStep = serialNumber
    failedFor = undefined
    retries.reset()
    return longestSleepMs
  }

  return { run: loop.run, recheck: loop.wake }
}

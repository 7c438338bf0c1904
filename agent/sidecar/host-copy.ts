/**
 * Owns keeping the CNI plugin's copy in step with what is published: after every publication, whenever somebody changes the
 * copy, and now and then. It is told what to copy from memory, the bundle that has passed the gate, and touches nothing else.
 */

import type { Config } from '../config/config.ts'
import { hostCopyName } from '../config/target.ts'
import { createRetries } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import type { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import { createLoop, type Loop } from '../core/retry-loop.ts'
import type { Bundle } from '../pki/bundle.ts'
import { validityOf } from '../pki/certificate.ts'
import type { EventHub, Listener } from './observe/events.ts'
import { type HostCniDir, openHostCniDir } from './store/host-cni-dir.ts'
import { watchPublished } from './store/watch.ts'

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

export interface HostCopy extends Pick<Loop, 'run'> {
  /** The bundle or the copy may have changed: compares now. */
  readonly recheck: () => void
}

export interface KeepHostCopyOptions extends Pick<HostCopyOptions, 'clock' | 'random'> {
  readonly config: Pick<Config, 'hostCni'>
  readonly hub: EventHub
  readonly published: (component: string) => Bundle | undefined
}

/** While the agent runs, if that is switched on. Returns how to stop. */
export function keepHostCopy({ config: { hostCni }, hub, clock, published, random }: KeepHostCopyOptions): () => void {
  if (hostCni === undefined) return () => {}
  const { component } = hostCni
  const { emit } = hub
  const stop = new AbortController()
  const directory = openHostCniDir(hostCni.directory, hostCopyName)
  const copy = createHostCopy({ component, directory, published: () => published(component), clock, random, emit })
  hub.attach((event) => {
    if ((event.type === 'found' || event.type === 'published') && event.component === component) copy.recheck()
  })
  const stopWatching = watchPublished(directory.path, {
    changed: copy.recheck,
    failed: (detail) => emit({ type: 'watch-failed', detail }),
  })
  void copy.run(stop.signal)
  return () => {
    stop.abort()
    stopWatching()
  }
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

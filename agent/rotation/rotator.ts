/**
 * Owns the life of one target: obtain, judge, publish, announce, and again before it expires. Every failure keeps what is
 * published and is tried again; this is the only retry loop of the program.
 */
import type { X509Certificate } from 'node:crypto'
import type { Clock, SaneClocks } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { Listener } from '../observe/events.ts'
import { type ReasonCode, reasons } from '../reasons.ts'
import type { BundleSource, Candidate, News } from '../source/source.ts'
import type { TargetDir } from '../store/target-dir.ts'
import { type BackoffState, planRetry } from './backoff.ts'
import type { Issuance } from './issuance.ts'
import { planPoll, planStep } from './next-step.ts'
import type { Publisher } from './publisher.ts'
import { giveWay } from './schedule.ts'
import { createShelf } from './shelf.ts'

export interface RotatorOptions {
  readonly component: string
  readonly directory: Pick<TargetDir, 'claim' | 'release'>
  readonly publisher: Publisher
  readonly issuance: Issuance
  readonly source: Pick<BundleSource, 'makes' | 'isLocal' | 'lookEveryMs'>
  /** The node's moment of each interval in which the source is looked at, 0 to 1. */
  readonly pollSlot: number
  readonly clock: Clock
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly clocks: () => SaneClocks
  readonly random: () => number
  readonly emit: Listener
}

export interface Rotator {
  readonly component: string
  /** Runs until `stop`, or until a good certificate is published where `once` is set. Rejects only for bugs. */
  run(stop: AbortSignal, once?: boolean): Promise<void>
  /** Renews at once, whatever the schedule and earlier failures say. */
  renewNow(): void
  /** Something outside has changed (a credential, a CA file, the directory): looks again and does not wait for a retry. */
  lookAgain(): void
  /** The failure of the last attempt; undefined after a success. */
  failure(): AgentError | undefined
}

/** The wall clock is read again at least this often: it may have been set, and timers stand still while a machine sleeps. */
const longestSleepMs = 30_000
/** A new CA set that etcd could not be asked about is looked at again this soon. */
const unheardMs = 300_000

export function createRotator(options: RotatorOptions): Rotator {
  const { component, directory, publisher, issuance, source, pollSlot, clock, now, random, emit } = options
  /** Why a renewal is due whatever the schedule says; each request is one object, so that one that comes meanwhile is not lost. */
  let requested: { readonly reason: ReasonCode } | undefined
  // Both moments are of the monotonic clock: a wall clock that is set back must not delay them by hours.
  let failed: { error: AgentError; backoff: BackoffState; retryAt: number } | undefined
  let pollAt: number | undefined
  /** When a look at the source last found Vault down, by the monotonic clock. */
  let outageAt: number | undefined
  let mustInspect = true
  const shelf = createShelf({ now, publisher, source, look })
  let alarm = new AbortController()

  const wake = (): void => alarm.abort()
  const inWallTime = (at: number): number => now() + at - clock.monotonic()

  async function look(): Promise<News> {
    return await issuance.look(publisher.published())
  }

  async function publish(candidate: Candidate, reason: ReasonCode): Promise<void> {
    try {
      await publisher.publish(candidate, reason)
    } catch (error) {
      if (error instanceof AgentError) shelf.put(candidate, error.code)
      throw error
    }
    shelf.clear()
    issuance.used(candidate.key)
  }

  /** Answers whether another certificate has been published; a request is also served by there being nothing newer. */
  async function renew(reason: ReasonCode): Promise<boolean> {
    const served = requested
    await directory.claim() // Nothing is signed that another agent's directory would not take.
    const candidate = (await shelf.take()) ?? (await issuance.obtain(reason, publisher.published()))
    if (candidate !== undefined) await publish(candidate, reason)
    else if (reason === 'renewal-due') throw new AgentError('nothing-newer', 'the source holds what is published')
    if (requested === served) requested = undefined
    scheduleNextPoll()
    return candidate !== undefined
  }

  async function poll(): Promise<void> {
    scheduleNextPoll()
    const { issuers, renew: reason } = await look()
    if (issuers !== undefined) await refreshCa(issuers)
    if (reason !== undefined) requested = { reason }
  }

  /** A CA set that the gate refuses must not stand in the way of a renewal. */
  async function refreshCa(issuers: readonly X509Certificate[] | undefined): Promise<void> {
    try {
      await publisher.refreshCa(issuers)
    } catch (error) {
      if (!(error instanceof AgentError) || reasons[error.code].about !== 'gate') throw error
      emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
      if (error.retry === 'outage') pollAt = Math.min(pollAt ?? Number.POSITIVE_INFINITY, clock.monotonic() + unheardMs)
    }
  }

  async function inspect(): Promise<void> {
    const before = publisher.published()?.bundle.leaf
    const problem = await publisher.inspect()
    const leaf = publisher.published()?.bundle.leaf
    if (problem !== undefined) requested = { reason: problem }
    else if (leaf !== undefined) {
      // Somebody else has brought another one: as good as what was asked for.
      if (leaf !== before) requested = undefined
      await refreshCa(undefined)
    }
    mustInspect = false
    // A start contacts Vault for nothing while the certificate on disk is good.
    if (pollAt === undefined) scheduleNextPoll()
  }

  function scheduleNextPoll(): void {
    const published = publisher.published()
    if (published === undefined) return
    const { notBeforeMs, notAfterMs } = published.validity
    const intervalMs = source.lookEveryMs(notAfterMs - notBeforeMs)
    pollAt = clock.monotonic() + planPoll(intervalMs, pollSlot, now()) - now()
  }

  async function keep(error: AgentError): Promise<void> {
    const notAfterMs = publisher.published()?.validity.notAfterMs
    const runwayMs = (notAfterMs ?? 0) - now()
    const { retry, retryAfterMs } = error
    const [plannedMs, backoff] = planRetry(failed?.backoff, { class: retry, runwayMs, retryAfterMs }, random())
    // What somebody else makes is looked at as often as ever: they may have mended it.
    const delayMs = source.makes ? plannedMs : Math.min(plannedMs, source.lookEveryMs(runwayMs))
    failed = { error, backoff, retryAt: clock.monotonic() + delayMs }
    if (error.code === 'directory-in-use') mustInspect = true // Who has it publishes there.
    const retryAtMs = now() + delayMs
    emit({ type: 'kept', component, reason: error.code, detail: error.message, retryAtMs, notAfterMs })
    // What works by any sane clock is not given up for what is kept aside.
    if ((notAfterMs ?? 0) <= options.clocks().earliestMs) await restore()
  }

  /** What starts the node for now does not end the attempts. */
  async function restore(): Promise<void> {
    try {
      if (await publisher.restore()) requested ??= { reason: 'never-published' }
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      emit({ type: 'state-failed', component, reason: error.code, detail: error.message })
    }
  }

  /** Does what is due; answers how long there is nothing to do. */
  async function step(once: boolean): Promise<number> {
    const blockedUntil = failed !== undefined && failed.retryAt > clock.monotonic() ? failed.retryAt : undefined
    if (mustInspect && blockedUntil === undefined) await inspect()
    // Also where nothing is due: who comes second should say so early. One that ends by itself writes only when it must.
    if (!once && blockedUntil === undefined) await directory.claim()
    const plan = publisher.published()?.plan
    const renewAtMs = plan && giveWay(plan, outageAt === undefined ? undefined : inWallTime(outageAt))
    const retryAtMs = blockedUntil === undefined ? undefined : inWallTime(blockedUntil)
    const pollAtMs = inWallTime(pollAt ?? clock.monotonic())
    const next = planStep({ renewAtMs, requested: requested?.reason, retryAtMs, pollAtMs }, now())
    switch (next.do) {
      case 'wait':
        if (retryAtMs === undefined) recover()
        await publisher.prove()
        return Math.min(next.untilMs, retryAtMs ?? next.untilMs) - now()
      case 'poll':
        await pollQuietly()
        return 0
      case 'renew':
        if (await renew(next.reason)) failed = undefined
        return 0
    }
  }

  /** Nothing is due and the directory is in order: what failed before has passed. */
  function recover(): void {
    if (failed === undefined) return
    failed = undefined
    emit({ type: 'recovered', component })
  }

  /** The source is looked at again soon; that this look failed endangers nothing. */
  async function pollQuietly(): Promise<void> {
    try {
      await poll()
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      if (error.retry === 'outage') outageAt = clock.monotonic()
      emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
    }
  }

  async function stepOrKeep(once: boolean): Promise<number> {
    try {
      return await step(once)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      await keep(error)
      return 0
    }
  }

  const isSettled = (waitMs: number): boolean => publisher.published() !== undefined && waitMs > 0

  return {
    component,
    async run(stop, once = false) {
      stop.addEventListener('abort', wake)
      try {
        while (!stop.aborted) {
          alarm = new AbortController()
          const waitMs = await stepOrKeep(once)
          if (once && isSettled(waitMs)) return
          const sleepMs = Math.min(Math.max(waitMs, 0), longestSleepMs)
          emit({ type: 'heartbeat', component, nextStepAtMs: clock.now() + sleepMs })
          // The alarm is older than the step: a stop that came meanwhile ends this sleep before it begins.
          if (sleepMs > 0) await clock.sleep(sleepMs, alarm.signal)
        }
      } finally {
        stop.removeEventListener('abort', wake)
        directory.release()
      }
    },
    renewNow() {
      requested = { reason: 'renewal-requested' }
      failed = undefined
      shelf.renew()
      wake()
    },
    lookAgain() {
      mustInspect = true
      if (source.isLocal) pollAt = clock.monotonic()
      if (failed !== undefined) failed = { ...failed, retryAt: clock.monotonic() }
      wake()
    },
    failure: () => failed?.error,
  }
}

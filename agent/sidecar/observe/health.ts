/** Owns the answers to the probes, from the events alone: started, alive, ready, and why not. */
import { type Clock, isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Listener, TargetName } from './events.ts'

export type Probe = 'startupz' | 'livez' | 'readyz'

export interface ProbeAnswer {
  readonly ok: boolean
  /** To be sent as JSON. */
  readonly body: object
}

export interface Health {
  readonly listener: Listener
  probe(name: Probe): ProbeAnswer
}

interface TargetHealth {
  notAfterMs?: number
  renewAtMs?: number
  /** Why what is published is not known to work. */
  unproven?: { reason: ReasonCode; detail: string } | undefined
  failure?: Failure | undefined
  /** The CNI plugin's copy, where one is kept. */
  hostCopy?: { path: string; inStep: boolean; notAfter?: string; failure?: object } | undefined
  /** The copy has never been in step since the start, and not because install-cni has still to come. */
  copyRefused?: boolean
  /** When the loop is expected to be heard of again, by the monotonic clock: nobody dies because the wall clock was set. */
  expectedAt: number
}

interface Failure {
  readonly reason: ReasonCode
  readonly detail: string
  readonly retryAtMs: number
}

/** What an operator reads about a reason. */
function explain({ reason }: { readonly reason: ReasonCode }): object {
  const { summary, advice } = reasons[reason]
  return { reason, says: summary, advice, runbook: runbookOf(reason) }
}

function describeFailure(failure: Failure): object {
  return { ...explain(failure), detail: failure.detail, retryAt: isoTime(failure.retryAtMs) }
}

/** A step that talks to Vault may take several requests, each as long as its deadline. */
const requestsInStep = 10
const graceMs = 60_000

export function createHealth(targets: readonly TargetName[], clock: Clock, vaultTimeoutMs: number): Health {
  const states = new Map<string, TargetHealth>(
    targets.map(({ component }) => [component, { expectedAt: clock.monotonic() }]),
  )

  const isValid = ({ notAfterMs }: TargetHealth): boolean => notAfterMs !== undefined && notAfterMs > clock.now()
  // A rollout stops at the first node that refuses the copy, long before the certificate in it ends.
  const isReady = (state: TargetHealth): boolean => isValid(state) && state.copyRefused !== true
  const isAlive = ({ expectedAt }: TargetHealth): boolean =>
    clock.monotonic() < expectedAt + requestsInStep * vaultTimeoutMs + graceMs

  function describeTarget(target: TargetName): object {
    const state = states.get(target.component)
    if (state === undefined) return target
    const { notAfterMs, renewAtMs, unproven, failure, hostCopy } = state
    return {
      ...target,
      ready: isReady(state),
      alive: isAlive(state),
      ...(notAfterMs === undefined
        ? { why: 'no certificate has been published' }
        : {
            notAfter: isoTime(notAfterMs),
            runwaySeconds: Math.floor((notAfterMs - clock.now()) / 1000),
            ...(isValid(state) ? {} : { why: 'the published certificate has expired' }),
          }),
      ...(renewAtMs === undefined ? {} : { renewAt: isoTime(renewAtMs) }),
      ...(unproven === undefined ? {} : { unproven: { ...explain(unproven), detail: unproven.detail } }),
      ...(failure === undefined ? {} : { failure: describeFailure(failure) }),
      ...(hostCopy === undefined ? {} : { hostCopy }),
    }
  }

  const listener: Listener = (event) => {
    const state = 'component' in event ? states.get(event.component) : undefined
    if (state === undefined) return
    if (event.type === 'found' || event.type === 'published') {
      state.notAfterMs = event.certificate.notAfterMs
      state.renewAtMs = event.certificate.renewAtMs
      // A cached certificate went into place because Vault does not answer; that is still so.
      if (event.type === 'found' || event.isFallback !== true) state.failure = undefined
    } else if (event.type === 'renewal-failed') {
      state.failure = { reason: event.reason, detail: event.detail, retryAtMs: event.retryAtMs }
    } else if (event.type === 'host-copied') {
      state.copyRefused = false
      state.hostCopy = { path: event.path, inStep: true, notAfter: isoTime(event.notAfterMs) }
    } else if (event.type === 'host-copy-failed') {
      if (event.reason !== 'host-copy-absent') state.copyRefused ??= true
      state.hostCopy = { path: event.path, inStep: false, failure: describeFailure(event) }
    } else if (event.type === 'probed') {
      const { outcome, detail, verdict } = event
      if (verdict === 'publish' || outcome === 'accepted') state.unproven = undefined
      else if (verdict === 'unverified') state.unproven = { reason: outcome, detail }
    } else if (event.type === 'recovered') {
      state.failure = undefined
    } else if (event.type === 'heartbeat') {
      state.expectedAt = clock.monotonic() + Math.max(0, event.nextStepAtMs - clock.now())
    }
  }

  return {
    listener,
    probe(name) {
      const all = [...states.values()]
      const ok =
        name === 'livez'
          ? all.every(isAlive)
          : name === 'readyz'
            ? all.every(isReady)
            : all.every(({ notAfterMs }) => notAfterMs !== undefined)
      return { ok, body: { ok, targets: targets.map(describeTarget) } }
    },
  }
}

/** Owns the answers to the probes: started, alive, ready, and why not; of each target's state, as it is told. */
import { type Clock, isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { Listener, TargetFailure, TargetName, TargetView } from './events.ts'

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
  state?: TargetView
  /** The CNI plugin's copy, if one is kept. */
  hostCopy?: { path: string; inStep: boolean; notAfter?: string; failure?: object } | undefined
  /** The copy has never been in step since the start, and not because install-cni has still to come. */
  copyRefused?: boolean
  /** When the loop is expected to be heard of again, by the monotonic clock: nobody dies because the wall clock was set. */
  expectedAt: number
}

/** What an operator reads about a reason. */
function explain({ reason }: { readonly reason: ReasonCode }): object {
  const { summary, advice } = reasons[reason]
  return { reason, says: summary, advice, runbook: runbookOf(reason) }
}

function describeFailure(failure: Pick<TargetFailure, 'reason' | 'detail' | 'retryAtMs'>): object {
  return { ...explain(failure), detail: failure.detail, retryAt: isoTime(failure.retryAtMs) }
}

/** A step that talks to Vault may take several requests, each as long as its deadline. */
const requestsInStep = 10
const graceMs = 60_000

export function createHealth(targets: readonly TargetName[], clock: Clock, vaultTimeoutMs: number): Health {
  const healths = new Map<string, TargetHealth>(
    targets.map(({ component }) => [component, { expectedAt: clock.monotonic() }]),
  )

  const isValid = ({ state }: TargetHealth): boolean => (state?.certificate?.notAfterMs ?? 0) > clock.now()
  // A rollout stops at the first node that refuses the copy, long before the certificate in it ends.
  const isReady = (health: TargetHealth): boolean => isValid(health) && health.copyRefused !== true
  const isAlive = ({ expectedAt }: TargetHealth): boolean =>
    clock.monotonic() < expectedAt + requestsInStep * vaultTimeoutMs + graceMs

  function describeTarget(target: TargetName): object {
    const health = healths.get(target.component)
    if (health === undefined) return target
    const { certificate, failure, verification } = health.state ?? {}
    const { notAfterMs, renewAtMs } = certificate ?? {}
    const unproven = verification?.isAccepted === false ? verification : undefined
    const { hostCopy } = health
    return {
      ...target,
      ready: isReady(health),
      alive: isAlive(health),
      ...(notAfterMs === undefined
        ? { why: 'no certificate has been published' }
        : {
            notAfter: isoTime(notAfterMs),
            runwaySeconds: Math.floor((notAfterMs - clock.now()) / 1000),
            ...(isValid(health) ? {} : { why: 'the published certificate has expired' }),
          }),
      ...(renewAtMs === undefined ? {} : { renewAt: isoTime(renewAtMs) }),
      ...(unproven === undefined ? {} : { unproven: { ...explain(unproven), detail: unproven.detail } }),
      ...(failure === undefined ? {} : { failure: describeFailure(failure) }),
      ...(hostCopy === undefined ? {} : { hostCopy }),
    }
  }

  const listener: Listener = (event) => {
    const health = 'component' in event ? healths.get(event.component) : undefined
    if (health === undefined) return
    if (event.type === 'state') health.state = event.state
    else if (event.type === 'host-copied') {
      health.copyRefused = false
      health.hostCopy = { path: event.path, inStep: true, notAfter: isoTime(event.notAfterMs) }
    } else if (event.type === 'host-copy-failed') {
      if (event.reason !== 'host-copy-absent') health.copyRefused ??= true
      health.hostCopy = { path: event.path, inStep: false, failure: describeFailure(event) }
    } else if (event.type === 'heartbeat') {
      health.expectedAt = clock.monotonic() + Math.max(0, event.nextStepAtMs - clock.now())
    }
  }

  return {
    listener,
    probe(name) {
      const all = [...healths.values()]
      const ok =
        name === 'livez'
          ? all.every(isAlive)
          : name === 'readyz'
            ? all.every(isReady)
            : all.every(({ state }) => state?.certificate !== undefined)
      return { ok, body: { ok, targets: targets.map(describeTarget) } }
    },
  }
}

/** Owns the answers to the probes: started, alive, ready, and why not; of what the agent has told (present.ts). */
import { type Clock, isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { TargetFailure, TargetName } from './events.ts'
import type { Present, TargetPresent } from './present.ts'

export const probes = ['startupz', 'livez', 'readyz'] as const
export type Probe = (typeof probes)[number]

export interface ProbeAnswer {
  readonly ok: boolean
  /** To be sent as JSON. */
  readonly body: object
}

export interface Health {
  probe(name: Probe): ProbeAnswer
}

/** A step that talks to Vault may take several requests, each as long as its deadline. */
const requestsInStep = 10
const graceMs = 60_000

export function createHealth(
  targets: readonly TargetName[],
  present: Pick<Present, 'targets'>,
  clock: Clock,
  vaultTimeoutMs: number,
): Health {
  const isValid = ({ state }: TargetPresent): boolean => (state?.certificate?.notAfterMs ?? 0) > clock.now()
  // A rollout stops at the first node that refuses the copy, long before the certificate in it ends.
  const isReady = (target: TargetPresent): boolean =>
    isValid(target) && (target.wasHostCopyMade || !target.wasHostCopyRefused)
  const isAlive = ({ expectedAtMono }: TargetPresent): boolean =>
    clock.monotonic() < expectedAtMono + requestsInStep * vaultTimeoutMs + graceMs
  const isStarted = ({ state }: TargetPresent): boolean => state?.certificate !== undefined
  const judge = { startupz: isStarted, livez: isAlive, readyz: isReady }

  function describeTarget(name: TargetName): object {
    const target = present.targets.get(name.component)
    if (target === undefined) return name
    const { state, hostCopy } = target
    const { certificate, failure, verification } = state ?? {}
    return {
      ...name,
      ready: isReady(target),
      alive: isAlive(target),
      ...(certificate === undefined
        ? { why: 'no certificate has been published' }
        : {
            notAfter: isoTime(certificate.notAfterMs),
            runwaySeconds: Math.floor((certificate.notAfterMs - clock.now()) / 1000),
            ...(isValid(target) ? {} : { why: 'the published certificate has expired' }),
            renewAt: isoTime(certificate.renewAtMs),
          }),
      ...(verification?.isAccepted === false && {
        unproven: { ...explain(verification.reason), detail: verification.detail },
      }),
      ...(failure && { failure: describeFailure(failure) }),
      ...(hostCopy && { hostCopy: describeHostCopy(hostCopy) }),
    }
  }

  return {
    probe(name) {
      const ok = [...present.targets.values()].every(judge[name])
      return { ok, body: { ok, targets: targets.map(describeTarget) } }
    },
  }
}

/** What an operator reads about a reason. */
export function explain(reason: ReasonCode): object {
  const { summary, advice } = reasons[reason]
  return { reason, says: summary, advice, runbook: runbookOf(reason) }
}

function describeFailure(failure: Pick<TargetFailure, 'reason' | 'detail' | 'retryAtMs'>): object {
  return { ...explain(failure.reason), detail: failure.detail, retryAt: isoTime(failure.retryAtMs) }
}

function describeHostCopy(told: NonNullable<TargetPresent['hostCopy']>): object {
  const { path } = told
  return told.type === 'host-copied'
    ? { path, inStep: true, notAfter: isoTime(told.notAfterMs) }
    : { path, inStep: false, failure: describeFailure(told) }
}

/** The first apply for thousands of nodes takes minutes, but tells of every change meanwhile. */
const provisionGraceMs = 300_000

/**
 * Of `provision watch`.
 * @param certificate the health of the certificate's target; it has none if the files come from elsewhere
 */
export function createProvisionHealth(certificate: Health, present: Pick<Present, 'provision'>, clock: Clock): Health {
  return {
    probe(name) {
      const { hasBeenInStep, isSourceReached, source, etcd, expectedAtMono } = present.provision
      const ready = hasBeenInStep && isSourceReached && etcd === undefined
      const alive = clock.monotonic() < expectedAtMono + provisionGraceMs
      const joined = certificate.probe(name)
      const ok = joined.ok && { startupz: hasBeenInStep, livez: alive, readyz: ready }[name]
      const provision = { ready, alive, ...(source && { source }), ...(etcd && { etcd }) }
      return { ok, body: { ...joined.body, ok, provision } }
    },
  }
}

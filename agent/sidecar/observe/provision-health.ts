/** Owns the probes of `provision watch`, joined with those of its certificate. */
import type { Clock } from '../../core/clock.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Health } from './health.ts'
import { isProvisionEvent, type ProvisionEvent } from './provision-events.ts'

/** The first apply for thousands of nodes takes minutes, but tells of every change meanwhile. */
const graceMs = 300_000

interface Failure {
  readonly reason: ReasonCode
  readonly detail: string
}

/** @param certificate the health of the certificate's target; it has none if the files come from elsewhere */
export function createProvisionHealth(certificate: Health, clock: Clock): Health {
  let hasBeenInStep = false
  let isReached = false
  let source: Failure | undefined
  let etcd: Failure | undefined
  let expectedAt = clock.monotonic()

  function listen(event: ProvisionEvent): void {
    // Whatever it tells, it is alive.
    expectedAt = clock.monotonic()
    if (event.type === 'provision-heartbeat') expectedAt += Math.max(0, event.nextStepAtMs - clock.now())
    else if (event.type === 'provision-failed') etcd = { reason: event.reason, detail: event.detail }
    else if (event.type === 'provision-source-failed') {
      isReached = false
      source = { reason: event.reason, detail: event.detail }
    } else if (event.type === 'provision-source-reached') {
      isReached = true
      source = undefined
    } else if (event.type === 'provision-done') {
      hasBeenInStep = true
      etcd = undefined
    }
  }

  return {
    listener: (event) => {
      certificate.listener(event)
      if (isProvisionEvent(event)) listen(event)
    },
    probe(name) {
      const joined = certificate.probe(name)
      const isAlive = clock.monotonic() < expectedAt + graceMs
      const isReady = hasBeenInStep && isReached && etcd === undefined
      const isOk = name === 'livez' ? isAlive : name === 'readyz' ? isReady : hasBeenInStep
      const provision = { ready: isReady, alive: isAlive, ...(source && { source }), ...(etcd && { etcd }) }
      const ok = joined.ok && isOk
      return { ok, body: { ...joined.body, ok, provision } }
    },
  }
}

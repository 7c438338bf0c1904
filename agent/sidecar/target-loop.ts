/**
 * The life of one target: looks at the node, decides by its state, does one step, and waits. Every failure keeps what is published
 * and is tried again.
 */
import { AgentError } from '../core/errors.ts'
import { createLoop } from '../core/retry-loop.ts'
import { askEtcd } from './acceptance.ts'
import { createContext, type TargetOptions } from './context.ts'
import { mendedBy } from './inputs.ts'
import { fallBack, inspect, repair } from './inspection.ts'
import { planStep } from './next-step.ts'
import { poll, renew } from './renewal.ts'
import { fingerprintPublished } from './store/fingerprint.ts'
import { type Published, type Step } from './target-state.ts'

export interface TargetLoop {
  readonly component: string
  /** Runs until `stop`, or until a good certificate is published if `once` is set. Rejects only for bugs. */
  run(stop: AbortSignal, once?: boolean): Promise<void>
  /** Renews at once, whatever the schedule and earlier failures say. */
  renewNow(): void
  /** Something on the node may have changed (a credential, a CA file, the directory): looks now and not at the next step. */
  recheck(): void
  /** What stands in the directory and has passed the gate. */
  published(): Published | undefined
  /** The failure of the last attempt; undefined after a success. */
  failure(): AgentError | undefined
}

export function createTargetLoop(options: TargetOptions): TargetLoop {
  const context = createContext(options)
  const { component, directory, readInputs, state, apply, moment, clock, random, emit } = context
  let isOnce = false
  const loop = createLoop(clock, act)

  /** Answers how long there is nothing to do; undefined at the end of a run that has an end. */
  async function act(stop: AbortSignal): Promise<number | undefined> {
    let step: Step = { do: 'inspect' }
    try {
      step = look()
      const isEnd = isOnce && step.do === 'wait' && state().published !== undefined
      if (isEnd) return undefined
      if (step.do === 'fall-back') apply({ type: 'fallback-tried' })
      await claimFor(step)
      await take(step)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      // What ends because the agent does says nothing that is not known better.
      if (!stop.aborted || state().failure === undefined) fail(error, step)
      return 0
    }
    if (step.do !== 'wait') return 0
    emit({ type: 'heartbeat', component, nextStepAtMs: clock.now() + step.forMs })
    return step.forMs
  }

  /** What is to be done next. An inspection is made at once: what it has just read need not be looked at again. */
  function look(): Step {
    const fingerprint = observe()
    const step = planStep(state(), moment())
    if (step.do !== 'inspect') return step
    inspect(context, fingerprint)
    return planStep(state(), moment())
  }

  /** At each step, as no watcher is relied on. Answers how the directory looks, and what belongs into it. */
  function observe(): string {
    const { failure } = state()
    const failedFor = failure === undefined ? [] : mendedBy(failure.error.code)
    const { source = '', ...now } = readInputs(['source', 'etcd-ca', ...failedFor])
    const fingerprint = `${fingerprintPublished(directory.path)} ${now['etcd-ca'] ?? ''}`
    apply({ type: 'observed', fingerprint, source, inputs: { ...now, source } })
    return fingerprint
  }

  /**
   * Takes the right to write into the directory: before anything is signed, and also if nothing is due, so that who comes second
   * says so early. Not while a failure waits for its retry. A run that has an end takes it only to renew, and whoever publishes
   * makes sure of it (publication.ts).
   */
  async function claimFor(step: Step): Promise<void> {
    const { failure } = state()
    const isBlocked = failure !== undefined && failure.retryAtMono > clock.monotonic()
    const isIdle = step.do === 'wait' || step.do === 'recover'
    if (step.do === 'renew' || (isIdle && !isOnce && !isBlocked)) await directory.claim()
  }

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case 'repair':
        return await repair(context, step.repair)
      case 'fall-back':
        return await fallBack(context)
      case 'renew':
        return await renew(context, step.reason)
      case 'poll':
        return await poll(context)
      case 'reprobe':
        return await reprobe()
      case 'recover':
        apply({ type: 'recovered' })
        return emit({ type: 'recovered', component })
      case 'inspect':
      case 'wait':
    }
  }

  async function reprobe(): Promise<void> {
    const { published } = state()
    if (published !== undefined) await askEtcd(context, published.bundle, 'in-place')
  }

  function fail(error: AgentError, step: Step): void {
    const { code, message: detail } = error
    if (step.do === 'fall-back') return emit({ type: 'fallback-failed', component, reason: code, detail })
    apply({ type: 'failed', error, during: step.do, inputs: readInputs(mendedBy(code)), random: random() })
    const { published, failure } = state()
    const { notBeforeMs = 0, notAfterMs } = published?.validity ?? {}
    emit({
      type: 'renewal-failed',
      component,
      reason: code,
      detail,
      retryAtMs: failure?.retryAtWallMs ?? 0,
      notAfterMs,
      lifetimeMs: notAfterMs && notAfterMs - notBeforeMs,
    })
  }

  return {
    component,
    async run(stop, once = false) {
      isOnce = once
      try {
        await loop.run(stop)
      } finally {
        directory.release()
      }
    },
    renewNow() {
      apply({ type: 'renewal-ordered' })
      loop.wake()
    },
    recheck: () => loop.wake(),
    published: () => state().published,
    failure: () => state().failure?.error,
  }
}

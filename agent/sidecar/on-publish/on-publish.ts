/**
 * Owns AGENT_ON_PUBLISH: tells the consumers of a directory what was published there, once for each change, and tries again until
 * they have been told. It listens to what has happened and stands in nobody's way. A bundle of its own in dist/ that is loaded
 * if it is configured.
 */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import { createRetries, type Retries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { AgentEvent, Listener } from '../observe/events.ts'
import { openToldRecord, type Told, type ToldRecord } from '../store/records.ts'
import { createAct } from './act.ts'
import type { Notice } from './notice.ts'
import { hasNewCa, isNews, type Latest, planNotice, type TargetNotice } from './plan.ts'

export interface OnPublishOptions {
  readonly config: OnPublishConfig
  readonly targets: readonly { readonly component: string; readonly directory: string }[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly emit: Listener
}

export interface OnPublish {
  readonly listener: Listener
  /** Runs until `stop`. Rejects only for bugs. */
  run(stop: AbortSignal): Promise<void>
}

const longestSleepMs = 3_600_000

interface Target {
  readonly directory: string
  readonly record: ToldRecord
  /** Undefined until something is published. */
  notice: TargetNotice | undefined
  readonly retries: Retries
  isRecordFlawTold: boolean
}

export function createOnPublish({ config, targets, environment, clock, random, emit }: OnPublishOptions): OnPublish {
  const { when } = config
  const act = createAct(config, environment)
  const all = new Map<string, Target>(
    targets.map(({ component, directory }) => [
      component,
      {
        directory,
        record: openToldRecord(directory),
        notice: undefined,
        retries: createRetries(random),
        isRecordFlawTold: false,
      },
    ]),
  )
  const loop = createLoop(clock, step)

  function listener(event: AgentEvent): void {
    if (event.type !== 'found' && event.type !== 'published') return
    const target = all.get(event.component)
    if (target === undefined) return
    const { serialNumber, notAfterMs, ca } = event.certificate
    const reason = event.type === 'found' ? 'found' : event.reason
    const set = ca.certificates.map(({ fingerprint }) => fingerprint).toSorted()
    const latest: Latest = { serialNumber, ca: set.join(' '), reason, notAfterMs }
    const { notice } = target
    const isSame = notice?.latest.serialNumber === serialNumber && notice.latest.ca === latest.ca
    if (isSame) return
    // Another agent may have had the directory meanwhile, and told it.
    const told = target.isRecordFlawTold ? notice?.told : (target.record.read() ?? notice?.told)
    target.notice = { latest, told, failure: undefined }
    loop.wake()
  }

  async function step(): Promise<number> {
    const known = new Map<string, TargetNotice>()
    for (const [component, target] of all) {
      if (target.notice === undefined) continue
      if (!isNews(target.notice, when)) remember(component, target, target.notice.latest)
      known.set(component, target.notice)
    }
    const plan = planNotice(known, when, clock.monotonic())
    if (plan.do === 'wait') return Math.min(plan.forMs, longestSleepMs)
    const target = all.get(plan.component)
    if (target?.notice !== undefined) await tell(plan.component, target, target.notice)
    return 0
  }

  async function tell(component: string, target: Target, notice: TargetNotice): Promise<void> {
    const { latest, told } = notice
    // If we end before it is told, the next process must know that it was news.
    if (told === undefined) remember(component, target, { serialNumber: '', ca: latest.ca })
    const startedAtMono = clock.monotonic()
    try {
      const output = await act(describe(component, target.directory, notice))
      const durationMs = clock.monotonic() - startedAtMono
      emit({ type: 'on-publish-done', component, action: config.action.kind, durationMs, output })
      target.retries.reset()
      remember(component, target, latest)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      fail(component, target, notice, error)
    }
  }

  function fail(component: string, target: Target, { latest, failure }: TargetNotice, error: AgentError): void {
    const { code: reason, message: detail } = error
    const delayMs = target.retries.delayMs(error, latest.notAfterMs - clock.now())
    const action = config.action.kind
    const retryAtMs = clock.now() + delayMs
    emit({ type: 'on-publish-failed', component, action, reason, detail, retryAtMs, repeated: failure !== undefined })
    // What was published meanwhile is told at once.
    if (target.notice?.latest !== latest) return
    target.notice = { ...target.notice, failure: { retryAtMono: clock.monotonic() + delayMs } }
  }

  /** What comes while the consumers are being told is news for the next step. */
  function remember(component: string, target: Target, { serialNumber, ca }: Told): void {
    if (target.notice === undefined) return
    const { told, latest } = target.notice
    if (told?.serialNumber === serialNumber && told.ca === ca) return
    const failure = latest.serialNumber === serialNumber && latest.ca === ca ? undefined : target.notice.failure
    target.notice = { latest, told: { serialNumber, ca }, failure }
    try {
      target.record.write({ serialNumber, ca })
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      if (!target.isRecordFlawTold) emit({ type: 'store-flaw', component, reason: error.code, detail: error.message })
      target.isRecordFlawTold = true
    }
  }

  return { listener, run: loop.run }
}

function describe(component: string, directory: string, notice: TargetNotice): Notice {
  const { reason, serialNumber, notAfterMs } = notice.latest
  return { component, directory, reason, caSetChanged: hasNewCa(notice), serialNumber, notAfterMs }
}

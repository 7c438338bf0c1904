/**
 * Owns AGENT_ON_PUBLISH: tells the consumers of a directory what was published there, once for each change, and tries again until
 * they have been told. It listens to what has happened and stands in nobody's way. A bundle of its own in dist/ that is loaded
 * if it is configured.
 */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import { createRetries, type Retries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import { createLoop, type Loop } from '../../core/retry-loop.ts'
import type { AgentEvent, Listener, TargetName } from '../observe/events.ts'
import { openToldRecord, type Told, type ToldRecord } from '../store/records.ts'
import { act } from './act.ts'
import { hasNewCa, isNews, isSame, type Latest, planNotice, type TargetNotice } from './plan.ts'

export interface OnPublishOptions {
  readonly config: OnPublishConfig
  readonly targets: readonly Pick<TargetName, 'component' | 'directory'>[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly emit: Listener
}

export interface OnPublish extends Pick<Loop, 'run'> {
  readonly listener: Listener
}

const longestSleepMs = 3_600_000

interface Target extends TargetNotice {
  readonly component: string
  readonly directory: string
  latest: Latest | undefined
  told: Told | undefined
  retryAtMono: number | undefined
  readonly retries: Retries
  readonly record: ToldRecord
  isRecordFlawTold: boolean
}

export function createOnPublish({ config, targets, environment, clock, random, emit }: OnPublishOptions): OnPublish {
  const { when } = config
  const action = config.action.kind
  const all = new Map(targets.map((each) => [each.component, openTarget(each, random)]))
  const loop = createLoop(clock, step)

  function listener(event: AgentEvent): void {
    if (event.type !== 'found' && event.type !== 'published') return
    const target = all.get(event.component)
    if (target === undefined) return
    const { serialNumber, notAfterMs, ca } = event.certificate
    const reason = event.type === 'found' ? 'found' : event.reason
    const set = ca.certificates.map(({ fingerprint }) => fingerprint).toSorted()
    const latest: Latest = { serialNumber, ca: set.join(' '), reason, notAfterMs }
    if (isSame(target.latest, latest)) return
    // Another agent may have had the directory meanwhile, and told it.
    if (!target.isRecordFlawTold) target.told = target.record.read() ?? target.told
    target.latest = latest
    target.retryAtMono = undefined
    loop.wake()
  }

  async function step(): Promise<number> {
    for (const target of all.values()) {
      if (target.latest !== undefined && !isNews(target, when)) remember(target, target.latest)
    }
    const plan = planNotice(all, when, clock.monotonic())
    if (plan.do === 'wait') return Math.min(plan.forMs, longestSleepMs)
    const target = all.get(plan.component)
    if (target?.latest !== undefined) await tell(target, target.latest)
    return 0
  }

  async function tell(target: Target, latest: Latest): Promise<void> {
    const { component, directory, told, retryAtMono } = target
    const { serialNumber, reason, notAfterMs } = latest
    // If we end before it is told, the next process must know that it was news.
    if (told === undefined) remember(target, { serialNumber: '', ca: latest.ca })
    const startedAtMono = clock.monotonic()
    try {
      const caSetChanged = hasNewCa(latest, told)
      const notice = { component, directory, reason, caSetChanged, serialNumber, notAfterMs }
      const output = await act(config, notice, environment)
      emit({ type: 'on-publish-done', component, action, durationMs: clock.monotonic() - startedAtMono, output })
      target.retries.reset()
      target.retryAtMono = undefined
      // What was published meanwhile is news for the next step.
      remember(target, latest)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      const { code, message: detail } = error
      const delayMs = target.retries.delayMs(error, notAfterMs - clock.now())
      const retryAtMs = clock.now() + delayMs
      const repeated = retryAtMono !== undefined
      emit({ type: 'on-publish-failed', component, action, reason: code, detail, retryAtMs, repeated })
      // What was published meanwhile is told at once.
      if (target.latest === latest) target.retryAtMono = clock.monotonic() + delayMs
    }
  }

  function remember(target: Target, { serialNumber, ca }: Told): void {
    const told = { serialNumber, ca }
    if (isSame(target.told, told)) return
    target.told = told
    try {
      target.record.write(told)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      const { component, isRecordFlawTold } = target
      if (!isRecordFlawTold) emit({ type: 'store-flaw', component, reason: error.code, detail: error.message })
      target.isRecordFlawTold = true
    }
  }

  return { listener, run: loop.run }
}

function openTarget({ component, directory }: OnPublishOptions['targets'][number], random: () => number): Target {
  return {
    component,
    directory,
    latest: undefined,
    told: undefined,
    retryAtMono: undefined,
    retries: createRetries(random),
    record: openToldRecord(directory),
    isRecordFlawTold: false,
  }
}

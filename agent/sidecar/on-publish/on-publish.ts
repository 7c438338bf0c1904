/**
 * Owns AGENT_ON_PUBLISH: tells the consumers of a directory what was published there, once for each change, and tries again until
 * they have been told. It listens to what has happened and stands in nobody's way. A bundle of its own in dist/ that is loaded
 * if it is configured.
 */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import { createRetries, type Retries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { createLoop, type Loop } from '../../core/retry-loop.ts'
import type { AgentEvent, Listener, TargetName } from '../observe/events.ts'
import { openToldRecord, type Told, type ToldRecord } from '../store/records.ts'
import { act } from './act.ts'

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

/** What stands in the directory of a target. */
export interface Latest extends Told {
  readonly reason: ReasonCode | 'found'
  readonly notAfterMs: number
}

interface Target {
  readonly component: string
  readonly directory: string
  /** Undefined until something is published. */
  latest: Latest | undefined
  /** What the consumers were told last; undefined if nothing is known. */
  told: Told | undefined
  /** Undefined unless they could not be told. */
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

/**
 * What is published again unchanged is no news. What was found at a start, with nothing known of it, is none either: consumers
 * start after the first certificate. `ca-only` tells of another CA set than the one before; the first one is read by everybody.
 */
export function isNews({ latest, told }: Pick<Target, 'latest' | 'told'>, when: OnPublishConfig['when']): boolean {
  if (latest === undefined) return false
  if (when === 'ca-only') return hasNewCa(latest, told)
  return told === undefined ? latest.reason !== 'found' : !isSame(told, latest)
}

export function hasNewCa(latest: Told, told: Told | undefined): boolean {
  return told !== undefined && told.ca !== latest.ca
}

function isSame(one: Told | undefined, other: Told): boolean {
  return one?.serialNumber === other.serialNumber && one.ca === other.ca
}

export type TargetNotice = Pick<Target, 'latest' | 'told' | 'retryAtMono'>
export type Plan = { readonly do: 'tell'; readonly component: string } | { readonly do: 'wait'; readonly forMs: number }

/** Whom to tell now, or how long there is nobody. One at a time: the operator's program need not expect a second one beside it. */
export function planNotice(
  targets: ReadonlyMap<string, TargetNotice>,
  when: OnPublishConfig['when'],
  nowMono: number,
): Plan {
  let forMs = Number.POSITIVE_INFINITY
  for (const [component, target] of targets) {
    if (!isNews(target, when)) continue
    const inMs = (target.retryAtMono ?? nowMono) - nowMono
    if (inMs <= 0) return { do: 'tell', component }
    forMs = Math.min(forMs, inMs)
  }
  return { do: 'wait', forMs }
}

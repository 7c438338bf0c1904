/**
 * Owns the life of `provision watch`: what the source tells is gathered for a moment and brought to etcd; every so often all of
 * it is looked at again. Every failure leaves etcd as it is and is tried again.
 */
import { createRetries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import type { AgentError } from '../../core/errors.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { Listener } from '../../sidecar/observe/events.ts'
import { createAuthCache } from '../etcd/auth-snapshot.ts'
import { describeChange } from '../etcd/describe.ts'
import type { EtcdConnection } from './connection.ts'
import { reconcileNodes, type StepOptions, type StepOutcome } from './step.ts'

export interface NodeListener {
  /** The names of all nodes, whenever they may have changed. The set may go on changing: it is to be read at once. */
  nodes(names: ReadonlySet<string>): void
  /** The source can tell changes again, without having missed any. */
  reached(): void
  /** What `nodes` told last may be out of date. */
  failed(error: AgentError, retryAtMs: number | undefined): void
}

/** What all sources of node names have in common: Kubernetes, a file, standard input. */
export interface NodeSource {
  /** For the log. */
  readonly name: string
  /** Tells until `stop`. Rejects only for bugs. */
  run(listener: NodeListener, stop: AbortSignal): Promise<void>
}

export interface ProvisionerOptions extends Pick<StepOptions, 'desired' | 'components' | 'graceMs' | 'pace'> {
  readonly source: NodeSource
  readonly connection: Pick<EtcdConnection, 'use'>
  /** How often everything is looked at. */
  readonly resyncMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Listener
}

export interface Provisioner {
  /** Until `stop`. Rejects only for bugs. */
  run(stop: AbortSignal): Promise<void>
  /** The certificate has changed: does not wait for a retry. */
  recheck(): void
}

/** Nodes often come several at a time, and each change costs etcd more than the look before it. */
const debounceMs = 100
const longestSleepMs = 30_000
/** As a runway for the backoff: tries are at most ten seconds apart. */
const patienceMs = 40_000

export function createProvisioner(options: ProvisionerOptions): Provisioner {
  const { source, connection, clock, random, emit, resyncMs } = options
  const cache = createAuthCache()
  let present: ReadonlySet<string> | undefined
  let isCurrent = false
  /** What was told since the last step began. */
  let isDirty = false
  let inPlace: ReadonlySet<string> | undefined
  // Moments of the monotonic clock.
  let fullAt = clock.monotonic()
  let removeAt = Number.POSITIVE_INFINITY
  /** After a failure nothing is done before this. */
  let retryAt = Number.NEGATIVE_INFINITY
  const retries = createRetries(random)
  let told = { notes: '', held: '' }
  let conflicts: ReadonlySet<string> = new Set()

  const wake = (): void => {
    isDirty = true
    loop.wake()
  }

  const listener: NodeListener = {
    nodes: (names) => {
      present = new Set(names)
      emit({ type: 'provision-nodes', count: names.size })
      wake()
    },
    reached: () => {
      if (!isCurrent) {
        isCurrent = true
        emit({ type: 'provision-source-reached', source: source.name, nodes: present?.size ?? 0 })
        wake()
      }
    },
    failed: (error, retryAtMs) => {
      isCurrent = false
      emit({ type: 'provision-source-failed', reason: error.code, detail: error.message, retryAtMs })
    },
  }

  async function step(names: ReadonlySet<string>): Promise<void> {
    const startedAt = clock.monotonic()
    const isFull = startedAt >= fullAt
    const outcome = await connection.use((api) =>
      reconcileNodes(api, {
        ...options,
        present: names,
        isCurrent,
        cache,
        inPlace: isFull ? undefined : inPlace,
        nowMs: clock.now(),
        changed: (change) => emit({ type: 'provision-change', kind: change.do, text: describeChange(change) }),
      }),
    )
    inPlace = outcome.inPlace
    isDirty ||= outcome.isMore
    retries.reset()
    if (isFull) fullAt = startedAt + resyncMs
    const waitMs = outcome.nextAtMs === undefined ? Number.POSITIVE_INFINITY : outcome.nextAtMs - clock.now()
    removeAt = clock.monotonic() + waitMs
    tell(outcome, isFull, clock.monotonic() - startedAt)
  }

  function tell(outcome: StepOutcome, isFull: boolean, durationMs: number): void {
    const { vanished, settled, remove, held, why, pending, changes, notes, refusals, owned } = outcome
    for (const node of vanished) emit({ type: 'provision-node-departed', node, graceMs: options.graceMs })
    for (const node of settled) if (inPlace?.has(node)) emit({ type: 'provision-node-back', node })
    for (const node of remove) emit({ type: 'provision-node-removed', node })
    const heldText = why === undefined ? '' : `${why} ${held.length}`
    if (why !== undefined && heldText !== told.held) emit({ type: 'provision-held', why, nodes: held.length })
    if (isFull && notes.join('\n') !== told.notes) for (const text of notes) emit({ type: 'provision-note', text })
    for (const text of refusals) if (!conflicts.has(text)) emit({ type: 'provision-note', text })
    conflicts = new Set(isFull ? refusals : [...conflicts, ...refusals])
    told = { held: heldText, notes: isFull ? notes.join('\n') : told.notes }
    emit({
      type: 'provision-done',
      isFull,
      changes,
      nodes: owned,
      pending,
      held: held.length,
      conflicts: conflicts.size,
      durationMs,
    })
  }

  /** Does what is due; answers how long there is nothing to do. */
  async function stepIfDue(): Promise<number> {
    if (present === undefined) return longestSleepMs
    const now = clock.monotonic()
    if (retryAt > now) return retryAt - now
    const dueAt = isDirty ? now : Math.min(fullAt, removeAt)
    if (dueAt > now) return dueAt - now
    isDirty = false
    await step(present)
    return 0
  }

  function scheduleRetry(error: AgentError): number {
    // What was done until then is not known: the next step looks at everything.
    fullAt = clock.monotonic()
    const delayMs = retries.delayMs(error, patienceMs)
    retryAt = fullAt + delayMs
    emit({ type: 'provision-failed', reason: error.code, detail: error.message, retryAtMs: clock.now() + delayMs })
    return sleepFor(delayMs)
  }

  function sleepFor(ms: number): number {
    const waitMs = Math.min(ms, longestSleepMs)
    emit({ type: 'provision-heartbeat', nextStepAtMs: clock.now() + waitMs })
    return waitMs
  }

  const loop = createLoop(
    clock,
    async (stop) => {
      if (isDirty) await clock.sleep(debounceMs, stop)
      return sleepFor(stop.aborted ? 0 : await stepIfDue())
    },
    scheduleRetry,
  )

  return {
    async run(stop) {
      await Promise.all([source.run(listener, stop), loop.run(stop)])
    },
    recheck() {
      fullAt = clock.monotonic()
      retryAt = fullAt
      wake()
    },
  }
}

/**
 * Owns how long to wait after a failure: a pure step from state to delay. The first tries come quickly, as most failures
 * pass at once; then the spacing follows the runway, so that the end of a long outage meets a trickle and not a herd,
 * while a certificate that is about to expire is tried for more and more often.
 */
import type { RetryClass } from './reason.ts'

export interface BackoffState {
  readonly class: RetryClass
  /** Failures of this class in a row. */
  readonly failures: number
}

export interface Failure {
  readonly class: RetryClass
  /** Milliseconds until the published certificate expires; 0 or less if there is none. */
  readonly runwayMs: number
  /** What the server asked to wait. */
  readonly retryAfterMs?: number | undefined
}

/** Milliseconds of the first tries. What Vault refuses or a disk lacks does not change within a second. */
const ladders: Readonly<Record<RetryClass, readonly number[]>> = {
  outage: [1000, 5000, 25_000],
  refused: [5000, 30_000],
  local: [2000, 10_000],
  // Somebody is about to add the user in etcd; nothing is asked of Vault meanwhile.
  awaited: [1000, 2000, 5000],
}

/**
 * What is awaited may come at any moment, and the certificate in place may be a static one that lives for years. What is wrong
 * on this node is mended on this node, and not always seen by the watcher (a remount); asking again costs nobody else much.
 */
const longestMs: Readonly<Record<RetryClass, number>> = {
  outage: 3_600_000,
  refused: 3_600_000,
  local: 300_000,
  awaited: 300_000,
}
/** Four more tries fit into what is left, whatever is left. */
const triesInRunway = 4
/** Spacing in the last seconds of a certificate. */
const shortestMs = 1000

/** Spacing without a certificate: the node waits for its network. */
const withoutMs: Readonly<Record<RetryClass, number>> = {
  outage: 30_000,
  refused: 30_000,
  local: 30_000,
  awaited: 10_000,
}
/** The longest wait without a certificate that a server may ask for. */
const longestWithoutMs = 300_000

/**
 * @param random from 0 to 1
 * @returns the delay in milliseconds, at most an hour, and the next state
 */
export function planRetry(state: BackoffState | undefined, failure: Failure, random: number): [number, BackoffState] {
  const { runwayMs, retryAfterMs = 0 } = failure
  const failures = state?.class === failure.class ? state.failures + 1 : 1
  const spacingMs =
    runwayMs > 0
      ? Math.min(Math.max(runwayMs / triesInRunway, shortestMs), longestMs[failure.class])
      : withoutMs[failure.class]
  const delayMs = Math.min(spacingMs, patienceMs(ladders[failure.class], failures, spacingMs, random))
  // No server's wish is worth a certificate: it is heard only as far as the spacing goes.
  const longestAskedMs = (runwayMs > 0 ? spacingMs : longestWithoutMs) * (0.9 + 0.1 * random)
  const askedMs = Math.min(retryAfterMs * (1 + 0.1 * random), longestAskedMs)
  return [Math.max(delayMs, askedMs), { class: failure.class, failures }]
}

/** The failures of one thing that is tried again and again. */
export interface Retries {
  /** How many milliseconds the next try waits after this failure. */
  delayMs(error: Pick<Failure, 'retryAfterMs'> & { readonly retry: RetryClass }, runwayMs: number): number
  /** It works: the next failure is the first one. */
  reset(): void
}

/** @param random from 0 to 1 */
export function createRetries(random: () => number): Retries {
  let state: BackoffState | undefined
  return {
    delayMs({ retry, retryAfterMs }, runwayMs) {
      const [delayMs, next] = planRetry(state, { class: retry, runwayMs, retryAfterMs }, random())
      state = next
      return delayMs
    },
    reset: () => {
      state = undefined
    },
  }
}

/**
 * Quick tries follow an event that many nodes saw at once: they are spread, and the first long wait ends anywhere. From
 * then on every wait is whole. If chance shortened it, nodes would bunch: after an outage of four hours, the last
 * minutes of the hour in which all of them try again would get five hours' work.
 */
function patienceMs(ladder: readonly number[], failures: number, spacingMs: number, random: number): number {
  const step = ladder[failures - 1]
  if (step !== undefined) return step * (0.5 + random)
  const lastStep = ladder.at(-1) ?? 0
  return failures === ladder.length + 1 ? lastStep + (spacingMs - lastStep) * random : spacingMs
}

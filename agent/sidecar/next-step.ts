/** The decision what a target does next: a pure function of its state and the time. */
import type { Moment } from '../core/clock.ts'
import { mendedBy } from './inputs.ts'
import { deferAfterOutage } from './schedule.ts'
import { repairInMs } from './streak.ts'
import type { Failure, Step, TargetState } from './target-state.ts'

/** The wall clock is read again at least this often: it may have been set, and timers stand still while a machine sleeps. */
const longestWaitMs = 30_000
/** etcd is asked again after this time: a user may have been added, or etcd may be back. */
const reprobeAfterMs = 300_000

/** @param longestMs the longest wait; a simulation, whose clock never jumps, may take a longer one */
export function planStep(state: TargetState, now: Moment, longestMs = longestWaitMs): Step {
  const { published, request, failure, repair, repairs, verification } = state
  // One that is due and still there is held up by a failure, which has its own wait.
  const holdMs = (repair && repairInMs(repairs, now.mono)) || Number.POSITIVE_INFINITY
  const wait = (ms: number): Step => ({ do: 'wait', forMs: Math.min(ms, holdMs, longestMs) })
  const isBlocked = failure !== undefined && failure.retryAtMono > now.mono
  if (!isBlocked || !holdsUpRepair(failure)) {
    if (state.inspected === undefined) return { do: 'inspect' }
    if (repair !== undefined && repairInMs(repairs, now.mono) === 0) return { do: 'repair', repair }
  }
  const works = (published?.validity.notAfterMs ?? 0) > now.earliestMs
  if (failure?.isFallbackTried === false && !works) return { do: 'fall-back' }
  const renewAtMs = renewalAt(state, now)
  const isDue = request !== undefined || renewAtMs === undefined || renewAtMs <= now.wallMs
  // While attempts fail, each of them polls the source anyway.
  if (isDue && isBlocked) return wait(failure.retryAtMono - now.mono)
  if (isDue)
    return { do: 'renew', reason: request?.reason ?? (published === undefined ? 'never-published' : 'renewal-due') }
  const pollInMs = (state.pollAtMono ?? now.mono) - now.mono
  if (pollInMs <= 0) return { do: 'poll' }
  if (failure !== undefined && !isBlocked) return { do: 'recover' }
  const reprobeAtMono =
    verification?.isAccepted === false ? verification.atMono + reprobeAfterMs : Number.POSITIVE_INFINITY
  const reprobeInMs = reprobeAtMono - now.mono
  if (reprobeInMs <= 0 && !isBlocked) return { do: 'reprobe' }
  const retryInMs = failure === undefined ? Number.POSITIVE_INFINITY : failure.retryAtMono - now.mono
  return wait(Math.min(renewAtMs - now.wallMs, pollInMs, isBlocked ? retryInMs : reprobeInMs))
}

/** While a failure of the directory waits for its retry, the directory waits too. An outage of Vault holds up no repair. */
function holdsUpRepair({ during, error }: Failure): boolean {
  return during === 'inspect' || during === 'repair' || mendedBy(error.code).includes('directory')
}

function renewalAt({ published, outageAtMono }: TargetState, now: Moment): number | undefined {
  const outageAtMs = outageAtMono === undefined ? undefined : now.wallMs + outageAtMono - now.mono
  return published && deferAfterOutage(published.plan, outageAtMs)
}

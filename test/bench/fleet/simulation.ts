/**
 * Owns the run of a fleet in virtual time: agents that decide by the agent's own pure functions, against a modelled Vault.
 * What an agent remembers and when it asks is as in agent/rotation/rotator.ts; what takes no time there takes none here. The
 * kubelet replaces each node's token every few minutes, and the agent notices it at once.
 */
import type { Validity } from '../../../agent/pki/certificate.ts'
import { type ReasonCode, reasons } from '../../../agent/reasons.ts'
import { type BackoffState, planRetry } from '../../../agent/rotation/backoff.ts'
import { endsWait, type InputStates } from '../../../agent/rotation/inputs.ts'
import { planPoll, planStep } from '../../../agent/rotation/next-step.ts'
import { giveWay, planRenewal, type RenewalPlan, slotOf } from '../../../agent/rotation/schedule.ts'
import { lookEveryMs } from '../../../agent/source/pki.ts'
import { createEventQueue } from './event-queue.ts'
import { createRandom } from './random.ts'
import { createRecord, type Record } from './record.ts'
import { type Fleet, massStartMs, type Scenario } from './scenarios.ts'

interface Agent {
  readonly slot: number
  readonly pollSlot: number
  plan: RenewalPlan | undefined
  notAfterMs: number
  failed: { code: ReasonCode; inputs: InputStates; backoff: BackoffState; retryAtMs: number } | undefined
  /** When in every interval its node's token is replaced. */
  readonly tokenPhaseMs: number
  outageAtMs: number | undefined
  pollAtMs: number
}

/** Learns what the agents do, in the order of time. Agents are numbered: the components of one node, then those of the next. */
export interface Witness {
  readonly signed: (id: number, nowMs: number, certificate: Validity & Pick<RenewalPlan, 'renewAtMs'>) => void
  readonly failed: (id: number, nowMs: number, retryAtMs: number, notAfterMs: number) => void
  readonly polled: (id: number, nowMs: number, isAnswered: boolean) => void
}

/** What the modelled Vault says to a request. */
type Answer = 'done' | { readonly code: ReasonCode; readonly retryAfterMs?: number }

export function simulate(fleet: Fleet, scenario: Scenario, witness?: Witness): Record {
  const startMs = Date.UTC(2026, 2, 1)
  const random = createRandom(fleet.seed)
  const agents = createAgents(fleet)
  const record = createRecord(startMs, scenario.lengthMs)
  const queue = createEventQueue(Float64Array.from(agents, () => startMs + Math.floor(massStartMs * random())))
  const { outage, signsPerSecond = Number.POSITIVE_INFINITY } = scenario
  const downFromMs = startMs + (outage?.atMs ?? Number.POSITIVE_INFINITY)
  let downToMs = Number.POSITIVE_INFINITY
  let second = 0
  let signsInSecond = 0

  const isDown = (nowMs: number): boolean => nowMs >= downFromMs && nowMs < downToMs

  function beginOutage(): void {
    if (outage === undefined) return
    const { ends } = outage
    const firstExpiryMs = agents.reduce(
      (first, { notAfterMs }) => Math.min(first, notAfterMs),
      Number.POSITIVE_INFINITY,
    )
    downToMs = 'afterMs' in ends ? downFromMs + ends.afterMs : firstExpiryMs - ends.beforeExpiryMs
    record.setOutage(downFromMs, downToMs)
  }

  function sign(nowMs: number): Answer {
    if (isDown(nowMs)) return { code: scenario.failure ?? 'vault-unreachable' }
    const nowSecond = Math.floor(nowMs / 1000)
    if (nowSecond !== second) [second, signsInSecond] = [nowSecond, 0]
    return ++signsInSecond > signsPerSecond ? { code: 'vault-rate-limited', retryAfterMs: 1000 } : 'done'
  }

  function renew(agent: Agent, id: number, nowMs: number): void {
    const answer = sign(nowMs)
    if (answer === 'done') {
      record.signed(id, nowMs, agent.plan === undefined ? undefined : { ...agent.plan, notAfterMs: agent.notAfterMs })
      // Certificates have whole seconds.
      const notBeforeMs = Math.floor((nowMs - fleet.backdatingMs) / 1000) * 1000
      agent.notAfterMs = Math.floor((nowMs + fleet.ttlMs) / 1000) * 1000
      agent.plan = planRenewal({ notBeforeMs, notAfterMs: agent.notAfterMs }, nowMs, agent.slot, fleet.renewAt)
      witness?.signed(id, nowMs, { notBeforeMs, notAfterMs: agent.notAfterMs, renewAtMs: agent.plan.renewAtMs })
      agent.failed = undefined
      agent.pollAtMs = planPoll(lookEveryMs(agent.notAfterMs - notBeforeMs), agent.pollSlot, nowMs)
    } else {
      record.failed(id, nowMs)
      const { code, retryAfterMs } = answer
      const failure = { class: reasons[code].retry, runwayMs: agent.notAfterMs - nowMs, retryAfterMs }
      const [delayMs, backoff] = planRetry(agent.failed?.backoff, failure, random())
      agent.failed = { code, inputs: inputsOf(agent, nowMs), backoff, retryAtMs: nowMs + delayMs }
      witness?.failed(id, nowMs, agent.failed.retryAtMs, agent.notAfterMs)
    }
  }

  function poll(agent: Agent, id: number, nowMs: number): void {
    agent.pollAtMs = planPoll(lookEveryMs(fleet.ttlMs + fleet.backdatingMs), agent.pollSlot, nowMs)
    record.polled(id, nowMs, !isDown(nowMs))
    witness?.polled(id, nowMs, !isDown(nowMs))
    if (isDown(nowMs)) agent.outageAtMs = nowMs
  }

  const tokenOf = ({ tokenPhaseMs }: Agent, nowMs: number): number =>
    Math.floor((nowMs - tokenPhaseMs) / fleet.tokenEveryMs)

  /** A renewed token is another credential, and the same login. */
  function inputsOf(agent: Agent, nowMs: number): InputStates {
    return { credential: `${tokenOf(agent, nowMs)}`, login: 'the same' }
  }

  /** While something fails, the next new token is an event too. */
  function nextEventMs(agent: Agent, untilMs: number, nowMs: number): number {
    if (agent.failed === undefined) return untilMs
    return Math.min(untilMs, (tokenOf(agent, nowMs) + 1) * fleet.tokenEveryMs + agent.tokenPhaseMs)
  }

  /** Does all that is due; answers when there is something to do again. */
  function act(agent: Agent, id: number, nowMs: number): number {
    if (agent.failed !== undefined && endsWait(agent.failed.code, agent.failed.inputs, inputsOf(agent, nowMs))) {
      agent.failed.retryAtMs = nowMs
    }
    for (;;) {
      const { plan, outageAtMs, failed, pollAtMs } = agent
      const renewAtMs = plan && giveWay(plan, outageAtMs)
      const retryAtMs = failed?.retryAtMs
      const next = planStep({ renewAtMs, requested: undefined, retryAtMs, pollAtMs }, nowMs)
      if (next.do === 'wait') return nextEventMs(agent, next.untilMs, nowMs)
      if (next.do === 'poll') poll(agent, id, nowMs)
      else renew(agent, id, nowMs)
    }
  }

  const endMs = startMs + scenario.lengthMs
  for (let nowMs = queue.firstAtMs(); nowMs < endMs; nowMs = queue.firstAtMs()) {
    if (nowMs >= downFromMs && downToMs === Number.POSITIVE_INFINITY) beginOutage()
    const id = queue.first()
    const agent = agents[id]
    if (agent === undefined) throw new Error(`there is no agent ${id}`)
    // Clocks and timers have whole milliseconds.
    queue.moveFirst(Math.ceil(act(agent, id, nowMs)))
  }
  for (const { notAfterMs } of agents) if (notAfterMs <= endMs) record.expired()
  return record
}

function createAgents({ nodes, components, seed, tokenEveryMs }: Fleet): Agent[] {
  const cluster = `fleet-${seed}`
  return Array.from({ length: nodes }, (_, index) => `node-${index}.example`).flatMap((node) => {
    const pollSlot = slotOf({ cluster, node, component: '' })
    return components.map((component): Agent => {
      const slot = slotOf({ cluster, node, component })
      const state = { plan: undefined, notAfterMs: 0, failed: undefined, outageAtMs: undefined, pollAtMs: 0 }
      return { ...state, slot, pollSlot, tokenPhaseMs: pollSlot * tokenEveryMs }
    })
  })
}

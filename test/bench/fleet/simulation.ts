/**
 * Owns the run of a fleet in virtual time: agents that decide by the agent's own pure functions, against a modelled Vault.
 * What an agent remembers and when it asks is as in agent/sidecar/target-state.ts; what takes no time there takes none here. The
 * kubelet replaces each node's token every few minutes, and the agent notices it at once.
 */

import { generateKeyPairSync } from 'node:crypto'
import type { Moment } from '../../../agent/core/clock.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import type { Bundle } from '../../../agent/pki/bundle.ts'
import type { Validity } from '../../../agent/pki/certificate.ts'
import type { InputStates } from '../../../agent/sidecar/inputs.ts'
import { nextState } from '../../../agent/sidecar/next-state.ts'
import { planStep } from '../../../agent/sidecar/next-step.ts'
import { createPlanner, type RenewalPlan, slotOf } from '../../../agent/sidecar/schedule.ts'
import { pollEveryMs } from '../../../agent/sidecar/source/pki.ts'
import type { TargetEvent } from '../../../agent/sidecar/target-state.ts'
import { type TargetRules, type TargetState, unknownTarget } from '../../../agent/sidecar/target-state.ts'
import { createEventQueue } from './event-queue.ts'
import { createRandom } from './random.ts'
import { createRecord, type Record } from './record.ts'
import { type Fleet, massStartMs, type Scenario } from './scenarios.ts'

/** All agents have the same: nothing reads them here. */
const key = generateKeyPairSync('ed25519').privateKey
const bundle = {} as Bundle

interface Agent {
  readonly rules: TargetRules
  /** When in every interval its node's token is replaced. */
  readonly tokenPhaseMs: number
  state: TargetState
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
      (first, { state }) => Math.min(first, state.published?.validity.notAfterMs ?? Number.POSITIVE_INFINITY),
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

  const moment = (nowMs: number): Moment => ({ wallMs: nowMs, earliestMs: nowMs, mono: nowMs })

  function apply(agent: Agent, event: TargetEvent, nowMs: number): void {
    agent.state = nextState(agent.state, event, moment(nowMs), agent.rules)
  }

  function renew(agent: Agent, id: number, nowMs: number): void {
    const answer = sign(nowMs)
    if (answer !== 'done') return fail(agent, id, nowMs, answer)
    const { published } = agent.state
    const replaced = published && { renewAtMs: published.plan.renewAtMs, notAfterMs: published.validity.notAfterMs }
    record.signed(id, nowMs, replaced)
    // Certificates have whole seconds.
    const notBeforeMs = Math.floor((nowMs - fleet.backdatingMs) / 1000) * 1000
    const notAfterMs = Math.floor((nowMs + fleet.ttlMs) / 1000) * 1000
    const plan = agent.rules.plan({ notBeforeMs, notAfterMs }, nowMs)
    agent.state = { ...agent.state, published: { bundle, validity: { notBeforeMs, notAfterMs }, plan } }
    apply(agent, { type: 'renewed', request: undefined, key }, nowMs)
    witness?.signed(id, nowMs, { notBeforeMs, notAfterMs, renewAtMs: plan.renewAtMs })
  }

  function fail(agent: Agent, id: number, nowMs: number, { code, retryAfterMs }: Exclude<Answer, 'done'>): void {
    record.failed(id, nowMs)
    const error = new AgentError(code, '', { retryAfterMs })
    apply(agent, { type: 'failed', error, during: 'renew', inputs: inputsOf(agent, nowMs), random: random() }, nowMs)
    const { failure, published } = agent.state
    witness?.failed(id, nowMs, failure?.retryAtMono ?? nowMs, published?.validity.notAfterMs ?? 0)
  }

  function poll(agent: Agent, id: number, nowMs: number): void {
    apply(agent, { type: 'polled' }, nowMs)
    record.polled(id, nowMs, !isDown(nowMs))
    witness?.polled(id, nowMs, !isDown(nowMs))
    if (isDown(nowMs)) apply(agent, { type: 'source-down' }, nowMs)
  }

  const tokenOf = ({ tokenPhaseMs }: Agent, nowMs: number): number =>
    Math.floor((nowMs - tokenPhaseMs) / fleet.tokenEveryMs)

  /** A renewed token is another credential, and the same login. */
  function inputsOf(agent: Agent, nowMs: number): InputStates {
    return { credential: `${tokenOf(agent, nowMs)}`, login: 'the same' }
  }

  /** While something fails, the next new token is an event too. */
  function nextEventMs(agent: Agent, untilMs: number, nowMs: number): number {
    if (agent.state.failure === undefined) return untilMs
    return Math.min(untilMs, (tokenOf(agent, nowMs) + 1) * fleet.tokenEveryMs + agent.tokenPhaseMs)
  }

  /** Does all that is due; answers when there is something to do again. */
  function act(agent: Agent, id: number, nowMs: number): number {
    // Nothing here touches a directory.
    const inspected = { fingerprint: '', atMono: nowMs }
    agent.state = { ...agent.state, inspected }
    apply(agent, { type: 'observed', fingerprint: '', source: '', inputs: inputsOf(agent, nowMs) }, nowMs)
    for (;;) {
      const next = planStep(agent.state, moment(nowMs), Number.POSITIVE_INFINITY)
      // A timer takes a millisecond at least.
      if (next.do === 'wait') return nextEventMs(agent, nowMs + Math.max(next.forMs, 1), nowMs)
      if (next.do === 'poll') poll(agent, id, nowMs)
      else if (next.do === 'renew') renew(agent, id, nowMs)
      else if (next.do === 'fall-back') apply(agent, { type: 'fallback-tried' }, nowMs)
      else if (next.do === 'recover') apply(agent, { type: 'recovered' }, nowMs)
      else throw new Error(`a simulated agent has nothing to ${next.do}`)
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
  for (const { state } of agents) if ((state.published?.validity.notAfterMs ?? 0) <= endMs) record.expired()
  return record
}

function createAgents({ nodes, components, seed, tokenEveryMs, renewAt }: Fleet): Agent[] {
  const cluster = `fleet-${seed}`
  return Array.from({ length: nodes }, (_, index) => `node-${index}.example`).flatMap((node) => {
    const pollSlot = slotOf({ cluster, node, component: '' })
    return components.map((component): Agent => {
      const plan = createPlanner({ source: { kind: 'pki' }, cluster, node, renewAt }, component)
      const rules = { issues: true, plan, pollEveryMs, pollSlot }
      return { rules, tokenPhaseMs: pollSlot * tokenEveryMs, state: unknownTarget }
    })
  })
}

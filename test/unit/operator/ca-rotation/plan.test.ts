/** Which step follows from what Vault and the agents say, and what stands in its way. */
import { describe, expect, it } from 'vitest'
import { planRotation } from '../../../../agent/operator/ca-rotation/plan.ts'
import type { AgentsState, Intent, VaultState } from '../../../../agent/operator/ca-rotation/state.ts'
import { changesOf } from '../../../../agent/operator/engine/bring-in-step.ts'
import { agent, fleet, hourMs, intent, issuer, nowMs, target, vault } from './states.ts'

function plan(held: VaultState, agents: AgentsState, more: Partial<Intent> = {}) {
  const { step, plan: found, isSilenceAll } = planRotation(held, agents, { ...intent, ...more }, nowMs)
  const changes = changesOf(found).map((change) => change.do)
  return { step, changes, isSilenceAll, ...found }
}

const later = nowMs + 5 * hourMs
const old = fleet(agent('node1', target({ first: later })), agent('node2', target({ first: later })))
const overlap = fleet(
  agent('node1', target({ first: later, second: 0 })),
  agent('node2', target({ first: later, second: 0 })),
)
const renewed = fleet(agent('node1', target({ first: 0, second: later })), agent('node2', target({ second: later })))

describe('step by step', () => {
  it('the new issuer is made, and signs nothing', () => {
    expect(plan(vault(['first'], 'first'), old)).toMatchObject({ step: 'make', changes: ['make'], refusals: [] })
  })

  it('is not switched to before every component of every agent publishes it', () => {
    const { step, changes, waitsFor } = plan(
      vault(['first', 'second'], 'first'),
      fleet(
        agent('node1', target({ first: later, second: 0 })),
        agent('node2', target({ first: later, second: 0 }), target({ first: later }, { component: 'calico-cni' })),
      ),
    )
    expect({ step, changes }).toEqual({ step: 'spread', changes: [] })
    expect(waitsFor).toBe('1 of 2 agents to publish second (CA second, fp-second): node2 (calico-node, calico-cni)')
  })

  it('is not switched to before somebody has said that etcd trusts it', () => {
    const both = vault(['first', 'second'], 'first')
    const { refusals, ...unsaid } = plan(both, overlap, { etcdTrustsNew: false })
    expect(unsaid).toMatchObject({ step: 'switch', changes: [], isSilenceAll: false })
    expect(refusals).toEqual([expect.stringContaining('etcd must trust second')])
    expect(plan(both, overlap)).toMatchObject({ step: 'switch', changes: ['switch'], refusals: [] })
  })

  it('the old one stays while a certificate may chain to it', () => {
    const switched = vault(['first', 'second'], 'second')
    const { step, changes, waitsFor } = plan(switched, overlap)
    expect({ step, changes }).toEqual({ step: 'renew', changes: [] })
    expect(waitsFor).toContain('at the latest at 2030-01-01T05:00:00.000Z: node1 (calico-node); node2 (calico-node)')
    expect(plan(switched, renewed)).toMatchObject({ step: 'retire', changes: ['retire'] })
  })

  it('is done when the old one is gone', () => {
    const { step, changes, notes } = plan(vault(['second'], 'second'), renewed)
    expect({ step, changes }).toEqual({ step: 'done', changes: [] })
    expect(notes).toEqual([
      'pki/ has no issuer first: it is retired already, or misspelled',
      expect.stringContaining('1 of 2 agents have the CA CA first (fp-first), which Vault does not list'),
    ])
  })

  it('deletes nothing that was not named', () => {
    const { step, changes, notes } = plan(vault(['first', 'second'], 'second'), renewed, { retire: [] })
    expect({ step, changes }).toEqual({ step: 'retire', changes: [] })
    expect(notes).toEqual([expect.stringContaining('--retire first')])
  })
})

describe('back', () => {
  const back = { issuer: 'first', retire: ['second'], make: undefined }

  it('before the switch, the new issuer is deleted', () => {
    expect(plan(vault(['first', 'second'], 'first'), overlap, back)).toMatchObject({
      step: 'retire',
      changes: ['retire'],
    })
  })

  it('after the switch, the old one signs again at once, and the new one goes with its last certificate', () => {
    const mixed = fleet(
      agent('node1', target({ first: later, second: later })),
      agent('node2', target({ first: later, second: 0 })),
    )
    expect(plan(vault(['first', 'second'], 'second'), mixed, back)).toMatchObject({
      step: 'switch',
      changes: ['switch'],
    })
    expect(plan(vault(['first', 'second'], 'first'), mixed, back)).toMatchObject({ step: 'renew', changes: [] })
  })
})

describe('nothing goes on', () => {
  const { ca } = target({ second: later })
  const twice = { ...target({}), ca: [...ca, ...ca], caCount: 2 }
  const silent = [{ name: 'node3', why: 'no agent says that it is there' }]

  it.each([
    ['made', vault(['first'], 'first'), old],
    ['switched', vault(['first', 'second'], 'first'), overlap],
    ['retired', vault(['first', 'second'], 'second'), renewed],
  ])('while a node is unaccounted for: not %s', (_, held, { agents }) => {
    const { changes, refusals, isSilenceAll } = plan(held, { agents, silent, without: [] })
    expect({ changes, isSilenceAll }).toEqual({ changes: [], isSilenceAll: true })
    expect(refusals).toEqual([expect.stringContaining('node3 is unaccounted for')])
    const accepted = plan(held, { agents, silent: [], without: silent })
    expect(accepted.changes).toHaveLength(1)
    expect(accepted.notes).toContain('node3 is left out: no agent says that it is there')
  })

  it('without any agent', () => {
    expect(plan(vault(['first'], 'first'), fleet())).toMatchObject({ changes: [], refusals: ['no agent is known'] })
  })

  it.each([
    ['nothing is published yet', target({})],
    ['some CAs are not shown', target({ second: later }, { caCount: 21 })],
    ["the CNI plugin's copy may be old", target({ first: 0, second: later }, { isCopyInStep: false })],
    ['it has ended within the last minute', target({ first: nowMs - 1000, second: later })],
    ['the agent has lost the new CA', target({ first: 0 })],
    ['the agent has no certificate that is valid', target({ first: nowMs - hourMs, second: 0 })],
    ['what is shown of the CAs was scraped twice', twice],
  ])('to the retirement if %s', (_, odd) => {
    const { step, changes } = plan(vault(['first', 'second'], 'second'), fleet(agent('node1', odd)))
    expect({ step, changes }).toEqual({ step: 'renew', changes: [] })
  })

  it('to the retirement by a clock that is ahead of all agents', () => {
    const agents = renewed.agents.map((each, at) => ({ ...each, heardAtMs: nowMs - at * hourMs }))
    const held = vault(['first', 'second'], 'second')
    const inUse = {
      agents: [{ ...agent('node3', target({ first: later, second: later })), heardAtMs: nowMs }, ...agents],
    }
    const stepAt = (ms: number) => planRotation(held, { ...fleet(), ...inUse }, intent, ms).step
    expect([stepAt(nowMs), stepAt(nowMs + 24 * hourMs)]).toEqual(['renew', 'renew'])
    const ended = agent('node3', target({ first: nowMs - hourMs, second: later }))
    expect(planRotation(held, fleet({ ...ended, heardAtMs: nowMs }), intent, nowMs + hourMs).step).toBe('retire')
  })

  it.each([
    ['there is no such issuer', vault(['first', 'seconds'], 'first'), { make: undefined }, 'did you mean seconds?'],
    [
      'the mount gives no such lifetime',
      vault(['first'], 'first', { maxTtlSeconds: 2_764_800 }),
      {},
      'longer than 32d',
    ],
    [
      'Vault would switch by itself',
      vault(['first'], 'first', { followsLatest: true }),
      {},
      'default=id-first default_follows_latest_issuer=false',
    ],
    ['there is nothing to rotate from', vault([], '', { defaultId: undefined }), {}, 'no default issuer'],
    ['what is to sign would be retired', vault(['first', 'second'], 'first'), { retire: ['second'] }, 'is to sign'],
    [
      'the new issuer has no key',
      { ...vault([], 'first'), issuers: [issuer('first'), issuer('second', { canSign: false })] },
      {},
      'has no key',
    ],
    [
      'the new issuer has ended',
      { ...vault([], 'first'), issuers: [issuer('first'), issuer('second', { notAfterMs: nowMs })] },
      {},
      'ended on',
    ],
    [
      'what signs has lost its key: the old one is the way back',
      { ...vault([], 'second'), issuers: [issuer('first'), issuer('second', { canSign: false })] },
      {},
      'go back with --issuer first',
    ],
    [
      'what signs has ended',
      { ...vault([], 'second'), issuers: [issuer('first'), issuer('second', { notAfterMs: nowMs })] },
      {},
      'ended on',
    ],
    [
      'a role names the old one',
      vault(['first', 'second'], 'second', { pinnedRoles: [{ role: 'etcd', issuerId: 'id-first' }] }),
      {},
      'vault patch pki/roles/etcd issuer_ref=default',
    ],
  ])('if %s', (_, held, more, why) => {
    const agents = held.defaultId === 'id-second' ? renewed : overlap
    const { changes, refusals, isSilenceAll } = plan(held, agents, more)
    expect({ changes, isSilenceAll }).toEqual({ changes: [], isSilenceAll: false })
    expect(refusals.join()).toContain(why)
  })

  it('if etcd refuses the new certificates: with the way back', () => {
    const agents = fleet(agent('node1', target({ first: later, second: 0 }, { isRefusedByEtcd: true })))
    const { refusals } = plan(vault(['first', 'second'], 'second'), agents)
    expect(refusals).toEqual([expect.stringMatching(/etcd refuses certificates of node1.*go back with --issuer first/)])
  })

  it('an intermediate stays with the root above it', () => {
    const held = {
      ...vault([], 'second'),
      issuers: [issuer('first'), issuer('root'), issuer('second', { above: ['id-root'] })],
    }
    expect(plan(held, renewed, { retire: ['root'] }).refusals).toEqual([
      expect.stringContaining('root cannot be retired'),
    ])
    expect(plan(held, renewed, { retire: ['first'] }).changes).toEqual(['retire'])
  })
})

describe('whoever started before the new CA came', () => {
  const both = vault(['first', 'second'], 'first')
  const uses = { first: later, second: 0 }

  it('is named with the command, and restarted by nobody', () => {
    const agents = fleet(
      agent(
        'node1',
        target(uses, { changedSinceStart: true }),
        target(uses, { component: 'calico-cni', changedSinceStart: true }),
      ),
      agent('node2', target(uses)),
    )
    expect(plan(both, agents).notes).toEqual([
      expect.stringMatching(/^calico-node started before .* on node1; .*rollout restart daemonset\/calico-node$/),
    ])
  })

  it('is known better by when its container started', () => {
    const changedSinceStart = true
    const agents = fleet(
      agent('node1', target(uses, { changedSinceStart, consumerStartedAtMs: nowMs - hourMs + 1 })),
      agent('node2', target(uses, { consumerStartedAtMs: nowMs - hourMs - 1, component: 'felix' })),
    )
    expect(plan(both, agents).notes).toEqual([expect.stringMatching(/^felix started before .* on node2; /)])
  })

  it('may be called like anything', () => {
    const agents = fleet(agent('node1', target(uses, { component: 'constructor', changedSinceStart: true })))
    expect(plan(both, agents).notes).toEqual([
      expect.stringMatching(/^constructor started before .*: restart whatever reads its files$/),
    ])
  })
})

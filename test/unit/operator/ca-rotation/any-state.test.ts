/** Whatever Vault and the agents say: the plan leads on or says why not, and never takes away what a certificate chains to. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { it } from 'vitest'
import { planRotation } from '../../../../agent/operator/ca-rotation/plan.ts'
import type {
  AgentView,
  Change,
  ComponentView,
  Intent,
  VaultState,
} from '../../../../agent/operator/ca-rotation/state.ts'
import { changesOf } from '../../../../agent/operator/engine/bring-in-step.ts'
import { agent, fleet, hourMs, intent, issuer, nowMs, target, vault } from './states.ts'

const names = ['first', 'second', 'third'] as const
const name = fc.constantFrom(...names)
const someNames = fc.subarray([...names])

const anyVault = fc
  .record({
    held: someNames,
    signs: fc.option(name),
    above: fc.option(name),
    pinned: fc.option(name),
    cannot: fc.option(name),
    short: fc.boolean(),
    follows: fc.boolean(),
  })
  .map(
    ({ held, signs, above, pinned, cannot, short, follows }): VaultState => ({
      ...vault([], ''),
      issuers: held.map((each) =>
        issuer(each, { canSign: each !== cannot, above: above === null || above === each ? [] : [`id-${above}`] }),
      ),
      defaultId: signs !== null && held.includes(signs) ? `id-${signs}` : undefined,
      followsLatest: follows,
      maxTtlSeconds: short ? 3600 : 87_600 * 3600,
      pinnedRoles: pinned !== null && held.includes(pinned) ? [{ role: 'r', issuerId: `id-${pinned}` }] : [],
    }),
  )
const until = fc.constantFrom(0, nowMs - hourMs, nowMs + hourMs)
const anyTarget = fc
  .record({
    uses: fc.dictionary(name, until, { noNullPrototype: true }),
    hidden: fc.constantFrom(0, 0, 0, 1),
    copy: fc.constantFrom(undefined, true, false),
    refused: fc.constantFrom(false, false, true),
  })
  .map(({ uses, hidden, copy, refused }): ComponentView => {
    const found = target(uses)
    return { ...found, caCount: found.caCount + hidden, isCopyInStep: copy, isRefusedByEtcd: refused }
  })
const anyAgents = fc.record({
  agents: fc.array(
    fc.array(anyTarget, { maxLength: 2 }).map((targets): AgentView => agent('n', ...targets)),
    { maxLength: 3 },
  ),
  silent: fc.constantFrom([], [], [{ name: 'node9', why: 'down' }]),
  without: fc.constantFrom([], [{ name: 'node8', why: 'down' }]),
})
const anyIntent = fc.record({
  issuer: name,
  make: fc.constantFrom(undefined, intent.make),
  retire: someNames,
  etcdTrustsNew: fc.boolean(),
})

it('leads on, waits, refuses with a reason, or is done', () => {
  fc.assert(
    fc.property(anyVault, anyAgents, anyIntent, (held, agents, wanted) => {
      const { step, plan } = planRotation(held, agents, wanted, nowMs)
      const changes = changesOf(plan)
      const ways = [
        changes.length > 0,
        plan.refusals.length > 0,
        plan.waitsFor !== undefined && plan.refusals.length === 0,
      ]
      const isLeft = step === 'done' || (step === 'retire' && wanted.retire.length === 0)
      assert.equal(ways.filter(Boolean).length, isLeft && plan.refusals.length === 0 ? 0 : 1)
      if (changes.length > 0) assert.deepEqual([agents.silent, agents.agents.length > 0], [[], true])
      for (const change of changes) judge(change, held, agents.agents)
    }),
    { numRuns: 5000 },
  )
})

/** What must hold for each change, said without the code that plans it. */
function judge(change: Change, held: VaultState, agents: readonly AgentView[]): void {
  const targets = agents.flatMap((each) => each.targets)
  const has = (fingerprint: string) => targets.every(({ ca }) => ca.some((each) => each.fingerprint === fingerprint))
  if (change.do === 'make')
    assert.ok(held.issuers.every(({ name: known }) => known !== change.name) && !held.followsLatest)
  if (change.do === 'switch') assert.ok(has(change.to.fingerprint) && change.to.canSign)
  if (change.do !== 'retire') return
  const { id, fingerprint } = change.issuer
  const signing = held.issuers.find((each) => each.id === held.defaultId)
  assert.ok(signing !== undefined && id !== signing.id && !signing.above.includes(id) && has(signing.fingerprint))
  assert.ok(signing.canSign && targets.every(({ ca }) => ca.some((each) => each.inUseUntilMs > nowMs)))
  assert.ok(held.pinnedRoles.every(({ issuerId }) => issuerId !== id))
  for (const { ca, caCount } of targets) {
    assert.equal(caCount, ca.length)
    assert.ok(ca.every((each) => each.fingerprint !== fingerprint || each.inUseUntilMs < nowMs))
  }
}

/** A node as it behaves: its set is what Vault lists and what its last two certificates chain to. */
interface Node {
  readonly live: string[]
  listed: readonly string[]
  isDown: boolean
}

const events = fc.array(
  fc.record({
    what: fc.constantFrom('rotate', 'rotate', 'look', 'look', 'renew', 'renew', 'down', 'up', 'turn'),
    node: fc.nat(2),
  }),
  { maxLength: 60 },
)

it('in any order of events, each certificate keeps its CA, and in the end the wanted one signs alone', () => {
  fc.assert(
    fc.property(events, (happened) => {
      let held = vault(['first'], 'first')
      const nodes = [0, 1, 2].map((): Node => ({ live: ['first'], listed: ['first'], isDown: false }))
      let wanted: Intent = intent
      const listedNow = (): string[] => held.issuers.map((each) => each.name)
      const look = (node: Node): void => void (node.listed = listedNow())
      const renew = (node: Node): void => {
        const signing = held.issuers.find(({ id }) => id === held.defaultId)
        // The agent looks at the issuers before it has a certificate signed.
        look(node)
        if (signing !== undefined) node.live.splice(0, node.live.length, signing.name, ...node.live.slice(0, 1))
      }
      const rotate = (): string => {
        const views = nodes.map(({ live, listed }, at) => {
          const set = [...new Set([...listed, ...live])]
          return agent(
            `n${at}`,
            target(Object.fromEntries(set.map((each) => [each, live.includes(each) ? nowMs + hourMs : 0]))),
          )
        })
        const up = views.filter((_, at) => nodes[at]?.isDown === false)
        const silent = views
          .filter((_, at) => nodes[at]?.isDown === true)
          .map(({ where }) => ({ name: where, why: 'down' }))
        const { step, plan } = planRotation(held, { ...fleet(...up), silent }, wanted, nowMs)
        for (const change of changesOf(plan)) {
          if (change.do === 'retire') assert.ok(nodes.every(({ live }) => !live.includes(change.issuer.name)))
          held = made(held, change)
        }
        return step
      }
      for (const { what, node: at } of happened) {
        const node = nodes[at] as Node
        if (what === 'rotate') rotate()
        else if (what === 'down' || what === 'up') node.isDown = what === 'down'
        // To and fro: the rotation is taken back, or begun again.
        else if (what === 'turn')
          wanted = wanted === intent ? { ...intent, issuer: 'first', retire: ['second'] } : intent
        else if (!node.isDown) (what === 'look' ? look : renew)(node)
      }
      for (const node of nodes) node.isDown = false
      let step = ''
      for (let round = 0; round < 12 && step !== 'done'; round++) {
        step = rotate()
        for (const node of nodes) renew(node)
      }
      assert.deepEqual([step, listedNow(), held.defaultId], ['done', [wanted.issuer], `id-${wanted.issuer}`])
    }),
    { numRuns: 1000 },
  )
})

function made(held: VaultState, change: Change): VaultState {
  switch (change.do) {
    case 'make':
      return { ...held, issuers: [...held.issuers, issuer(change.name)] }
    case 'switch':
      return { ...held, defaultId: change.to.id }
    case 'retire':
      return { ...held, issuers: held.issuers.filter(({ id }) => id !== change.issuer.id) }
  }
}

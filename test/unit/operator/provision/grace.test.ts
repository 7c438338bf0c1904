import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { massFactor, type NodesNow, planNodes } from '../../../../agent/operator/provision/grace.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 1)
const names = (count: number, prefix = 'node'): string[] => Array.from({ length: count }, (_, index) => prefix + index)

function now(change: Partial<NodesNow>): NodesNow {
  return {
    present: new Set(['a', 'b', 'c']),
    isCurrent: true,
    owned: new Set(['a', 'b', 'c', 'd']),
    departed: new Map(),
    nowMs: start,
    graceMs: hour,
    ...change,
  }
}

describe('a node that is gone', () => {
  it('is remembered first, and removed once the grace period is over', () => {
    const first = planNodes(now({}))
    expect(first).toMatchObject({ vanished: ['d'], remove: [], held: [], pending: 1, nextAtMs: start + hour })
    const departed = new Map([['d', start]])
    expect(planNodes(now({ departed, nowMs: start + hour - 1 }))).toMatchObject({
      vanished: [],
      remove: [],
      pending: 1,
    })
    expect(planNodes(now({ departed, nowMs: start + hour }))).toMatchObject({
      remove: ['d'],
      pending: 0,
      nextAtMs: undefined,
    })
  })

  it('keeps its users where it comes back', () => {
    const present = new Set(['a', 'b', 'c', 'd'])
    const departed = new Map([['d', start - 2 * hour]])
    expect(planNodes(now({ present, departed }))).toMatchObject({ settled: ['d'], remove: [], pending: 0 })
  })

  it('is forgotten where its users are gone too', () => {
    expect(planNodes(now({ departed: new Map([['e', start]]) }))).toMatchObject({ settled: ['e'], vanished: ['d'] })
  })

  it('begins a new grace period where its moment lies in the future', () => {
    const departed = new Map([['d', start + 10 * hour]])
    expect(planNodes(now({ departed }))).toMatchObject({ vanished: ['d'], nextAtMs: start + hour })
  })
})

describe('nobody is removed', () => {
  const departed = new Map(['a', 'b', 'c', 'd'].map((name) => [name, start - 1000 * hour]))

  it('by an empty list', () => {
    const plan = planNodes(now({ present: new Set(), departed }))
    expect(plan).toMatchObject({ remove: [], why: 'list-empty', pending: 4, nextAtMs: undefined })
    expect(plan.held).toHaveLength(4)
  })

  it('by a list that is not up to date, which begins no grace period either', () => {
    expect(planNodes(now({ isCurrent: false, departed }))).toMatchObject({ remove: [], why: 'list-not-current' })
    expect(planNodes(now({ isCurrent: false }))).toMatchObject({ vanished: [], pending: 0 })
  })

  it('where more than half would go at once, before a longer time is over', () => {
    const owned = new Set(names(10))
    const present = new Set(names(4))
    const since = new Map(names(10).map((name) => [name, start] as const))
    const at = (nowMs: number) => planNodes(now({ owned, present, departed: since, nowMs }))
    const held = at(start + hour)
    expect(held).toMatchObject({ remove: [], why: 'too-many-at-once', nextAtMs: start + massFactor * hour })
    expect(held.held).toHaveLength(6)
    expect(at(start + massFactor * hour).remove).toHaveLength(6)
  })
})

it('half at once may go, and any number one by one', () => {
  const owned = new Set(names(10))
  const departed = new Map(names(10).map((name, index) => [name, start + index * 60_000] as const))
  const half = planNodes(now({ owned, present: new Set(names(5)), departed, nowMs: start + 2 * hour }))
  expect(half.remove).toHaveLength(5)
  const last = new Set(['node9'])
  const plan = planNodes(now({ owned, present: last, departed, nowMs: start + hour + 2 * 60_000 }))
  expect(plan).toMatchObject({ remove: ['node0', 'node1', 'node2'], nextAtMs: start + hour + 3 * 60_000 })
})

const someNames = fc.uniqueArray(fc.constantFrom(...names(12)), { maxLength: 12 }).map((list) => new Set(list))
const anything = fc.record({
  present: someNames,
  isCurrent: fc.boolean(),
  owned: someNames,
  departed: fc
    .array(fc.tuple(fc.constantFrom(...names(12)), fc.integer({ min: -100 * hour, max: 10 * hour })))
    .map((list) => new Map(list.map(([name, at]) => [name, start + at] as const))),
  nowMs: fc.constant(start),
  graceMs: fc.integer({ min: 1, max: 2 * hour }),
})

it('never removes who is there, is not ours, or is not gone for the grace period', () => {
  fc.assert(
    fc.property(anything, (state) => {
      const { remove, held, pending, vanished, nextAtMs } = planNodes(state)
      for (const node of remove) {
        expect(state.present.has(node)).toBe(false)
        expect(state.owned.has(node)).toBe(true)
        expect(state.departed.get(node)).toBeLessThanOrEqual(start - state.graceMs)
      }
      const isMass = remove.length > state.owned.size / 2
      const longest = start - massFactor * state.graceMs
      expect(remove.length === 0 || (state.isCurrent && state.present.size > 0)).toBe(true)
      expect(!isMass || remove.every((node) => (state.departed.get(node) ?? start) <= longest)).toBe(true)
      expect(pending).toBeGreaterThanOrEqual(held.length + vanished.length)
      expect(nextAtMs ?? start + 1).toBeGreaterThan(start)
    }),
  )
})

it('removes everybody who stays away, in the end', () => {
  fc.assert(
    fc.property(anything, (state) => {
      fc.pre(state.isCurrent && state.present.size > 0)
      let { owned, nowMs } = state
      const departed = new Map(state.departed)
      for (let round = 0; round < 40; round++) {
        const plan = planNodes({ ...state, owned, departed, nowMs })
        for (const node of plan.vanished) departed.set(node, nowMs)
        for (const node of plan.settled) departed.delete(node)
        owned = new Set([...owned].filter((node) => !plan.remove.includes(node)))
        nowMs = plan.nextAtMs ?? nowMs
      }
      expect([...owned].every((node) => state.present.has(node))).toBe(true)
    }),
  )
})

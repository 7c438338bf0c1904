/** How fast users and roles are changed: the decisions as properties, and the whole on a clock of the test's own. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterChange,
  afterSample,
  createPace,
  initialPace,
  isQuiet,
  nodeChanges,
  type PaceState,
  planRest,
  quietAfterMs,
  unusedUpTo,
  windowMs,
} from '../../../../agent/operator/etcd/pace.ts'
import { createEtcdModel } from '../../../support/etcd-model.ts'

const shares = fc.double({ min: 0.001, max: 0.5, noNaN: true })

/** Beside others that write all the time. */
function busy(ordinaryMs: number, nowMs: number, state = initialPace(0)): PaceState {
  return { ...state, ordinary: [ordinaryMs], revision: 1n, quietSinceMs: nowMs }
}

describe('the plan', () => {
  it('keeps etcd busy in no minute for longer than its share, and one change', () => {
    const idles = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(shares, fc.integer({ min: 3, max: 2000 }), idles, (share, spanMs, all) => {
        let nowMs = 0
        let state = busy(1, 0)
        const done: number[] = []
        for (const idleMs of all) {
          nowMs += idleMs
          nowMs += planRest(busy(1, nowMs, state), { share, together: 0 }, nowMs)
          nowMs += spanMs
          state = afterChange(busy(1, nowMs, state), spanMs, nowMs)
          done.push(nowMs)
        }
        for (const end of done) {
          const before = done.filter((at) => at < end && at > end - windowMs).length
          expect(before * (spanMs - 1)).toBeLessThan(share * windowMs)
        }
      }),
    )
  })

  it('asks for as much rest as a change takes, never for more than a minute, and for none after that', () => {
    fc.assert(
      fc.property(
        shares,
        fc.integer({ min: 3, max: 10_000 }),
        fc.integer({ min: 1, max: 50 }),
        (share, spanMs, count) => {
          let state = busy(1, 0)
          let nowMs = 0
          for (let change = 0; change < count; change++)
            state = afterChange(busy(1, (nowMs += spanMs), state), spanMs, nowMs)
          const restMs = planRest(busy(1, nowMs, state), { share, together: 0 }, nowMs)
          expect(restMs).toBeLessThanOrEqual(windowMs)
          expect(restMs).toBeGreaterThanOrEqual(spanMs - 1)
          expect(planRest(busy(1, nowMs + windowMs, state), { share, together: 0 }, nowMs + windowMs)).toBe(0)
        },
      ),
    )
  })

  it('lets those of one node through whatever they cost, and keeps the share over a longer time', () => {
    fc.assert(
      fc.property(
        shares,
        fc.integer({ min: 3, max: 10_000 }),
        fc.integer({ min: 11, max: 60 }),
        (share, spanMs, count) => {
          let nowMs = 0
          let state = busy(1, 0)
          const began: number[] = []
          for (let change = 0; change < count; change++) {
            nowMs += planRest(busy(1, nowMs, state), { share, together: nodeChanges }, nowMs)
            began.push(nowMs)
            nowMs += spanMs
            state = afterChange(busy(1, nowMs, state), spanMs, nowMs)
          }
          expect(began[nodeChanges - 1]).toBeLessThanOrEqual(2 * nodeChanges * spanMs)
          const within = Math.max(windowMs, (nodeChanges * (spanMs - 1)) / share)
          for (const end of began) {
            const before = began.filter((at) => at < end && at > end - within).length
            // One may begin before the share is used up, and one has begun before the time that is looked at.
            expect((before - 2) * (spanMs - 1)).toBeLessThanOrEqual(share * within)
          }
        },
      ),
    )
  })

  it('takes a hiccup for none of its own', () => {
    let state = busy(1, 0)
    for (const spanMs of [10, 10, 5000]) state = afterChange(busy(1, 6000, state), spanMs, 6000)
    expect(planRest(state, { share: 0.01, together: 0 }, 6000)).toBe(9)
  })

  it('asks for no rest if a change takes no longer than twice an ordinary write', () => {
    fc.assert(
      fc.property(
        shares,
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 500 }),
        (share, ordinaryMs, count) => {
          let state = busy(ordinaryMs, 0)
          for (let index = 0; index < count; index++) state = afterChange(state, 2 * ordinaryMs, 0)
          expect(planRest(state, { share, together: 0 }, 0)).toBe(0)
        },
      ),
    )
  })

  const samples = (revisions: readonly bigint[], nowMs: number, state = initialPace(0)): PaceState =>
    revisions.reduce((before, revision) => afterSample(before, { revision, tookMs: 1, nowMs }), state)

  it('is quiet when nobody else has written for long enough, and not after anybody has', () => {
    let state = samples([1000n], 0)
    expect(isQuiet(state, 0)).toBe(false)
    state = samples([1001n], quietAfterMs, state)
    expect(isQuiet(state, quietAfterMs)).toBe(true)
    // The record of a node's names is a write of our own.
    state = samples([1003n], quietAfterMs, state)
    expect(isQuiet(state, quietAfterMs)).toBe(true)
    state = samples([1010n], quietAfterMs + 1, state)
    expect(isQuiet(state, quietAfterMs + 1)).toBe(false)
  })

  it('is quiet at once if hardly anything was ever written, until somebody does', () => {
    let state = samples([unusedUpTo], 0)
    expect(isQuiet(state, 0)).toBe(true)
    state = samples([unusedUpTo + 1n], 1000, state)
    expect(isQuiet(state, 1000)).toBe(true)
    expect(isQuiet(samples([unusedUpTo + 10n], 2000, state), 2000)).toBe(false)
    expect(isQuiet(samples([unusedUpTo + 1n], 0), 0)).toBe(false)
  })
})

/** etcd on a clock of its own: a write takes 1 ms, a change 30 ms, one after the other; `writes`: somebody else is at work. */
function rig(share: number, writes: boolean, changeMs = 30) {
  let clock = 0
  const model = createEtcdModel()
  const put = model.put.bind(model)
  const api = {
    get: (key: string) => model.get(key),
    put: async (key: string, value: string) => {
      clock += 1
      // Enough that this etcd was in use before.
      for (let write = 0; writes && write <= unusedUpTo; write++) await put('/somebody', '')
      await put(key, value)
    },
  }
  const told: string[] = []
  const pace = createPace({
    share,
    now: () => clock,
    sleep: async (ms) => void (clock += ms),
    waits: (text) => told.push(text),
  })
  let [running, most] = [0, 0]
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running)
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    clock += changeMs
    running--
  }
  const all = (count: number) => Promise.all(Array.from({ length: count }, () => pace.change(api, work)))
  return { all, work, now: () => clock, most: () => most, pace, api, told }
}

describe('changes', () => {
  it('beside others are one at a time, the first minute of the share at once, and the rest at the share', async () => {
    const { all, now, most } = rig(0.01, true)
    await all(20)
    expect(now()).toBeLessThan(20 * 70)
    await all(100)
    expect(most()).toBe(1)
    // 120 changes of 29 ms at 21 a minute: what goes over the share is not begun.
    expect(now()).toBeGreaterThan(5 * windowMs)
    expect(now()).toBeLessThan(6 * windowMs)
  })

  it('that have to wait say so once a minute, and why', async () => {
    const { all, told } = rig(0.01, true)
    await all(20)
    expect(told).toEqual([])
    await all(30)
    const why = 'to keep it busy for no more than 1 % of the time (--max-busy)'
    expect(told).toEqual([expect.stringContaining(why), expect.stringContaining(why)])
  })

  it('that nobody waits for take a tenth of the share', async () => {
    const { pace, api, work, now } = rig(0.1, true)
    await Promise.all(Array.from({ length: 120 }, () => pace.change(api, work, true)))
    expect(now()).toBeGreaterThan(5 * windowMs)
  })

  it('go at full speed where nobody else writes', async () => {
    const { all, now, most } = rig(0.01, false)
    await all(2000)
    expect(most()).toBeGreaterThan(1)
    expect(now()).toBeLessThan(2000 * 30 + 10 * quietAfterMs)
  })

  it('go one at a time, though at once, if etcd would give up on those that wait', async () => {
    const { all, now, most } = rig(0.01, false, 600)
    await all(50)
    expect(most()).toBe(1)
    expect(now()).toBeLessThan(50 * 602)
  })

  it('know no bound at 100 %', async () => {
    const { all, now } = rig(1, true)
    await all(1000)
    expect(now()).toBe(30_000)
  })

  it('that fail let the next one have its turn', async () => {
    const { all, pace, api } = rig(0.5, true)
    const failing = pace.change(api, () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    await all(3)
  })

  it('after a sample that failed are made too, once a sample succeeds', async () => {
    const { pace, api } = rig(0.5, true)
    const broken = { ...api, put: () => Promise.reject(new Error('away')) }
    await expect(pace.change(broken, async () => {})).rejects.toThrow('away')
    await expect(pace.change(api, async () => {})).resolves.toBeUndefined()
  })
})

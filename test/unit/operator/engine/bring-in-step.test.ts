/** The rounds of an apply, on a server that is a set of numbers. */
import { describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { bringInStep, type Plan, type Side } from '../../../../agent/operator/engine/bring-in-step.ts'

const reasons = { conflict: 'setup-conflict', contended: 'setup-contended' } as const

/** All of `wanted` are to be on it, each in a phase of its own. */
function createServer(wanted: readonly number[], more: Partial<Side<number>> & { refusals?: string[] } = {}) {
  const held = new Set<number>()
  const made: number[] = []
  let looks = 0
  const recheck = async (): Promise<Plan<number>> => {
    looks++
    const phases = wanted.filter((each) => !held.has(each)).map((each) => [each])
    return { phases, refusals: more.refusals ?? [], notes: [] }
  }
  const side: Side<number> = {
    recheck,
    makeOne: async (change) => void held.add(change),
    changed: (change) => made.push(change),
    about: (change) => ({ path: String(change), text: `number ${change}` }),
    reasons,
    pool: { now: () => 0 },
    ...more,
  }
  const apply = async (): Promise<Plan<number>> => await bringInStep(await recheck(), side)
  return { held, made, apply, looks: () => looks }
}

const overtaken = new AgentError('setup-contended', 'somebody was faster')

describe('an apply', () => {
  it('makes what differs, looks again, and is over when nothing differs', async () => {
    const { made, apply, looks } = createServer([1, 2, 3])
    expect((await apply()).phases).toEqual([])
    expect(made).toEqual([1, 2, 3])
    expect(looks()).toBe(2)
  })

  it('changes nothing if anything is refused, unless it goes around that', async () => {
    const refused = createServer([1], { refusals: ['no', 'nor this'] })
    await expect(refused.apply()).rejects.toMatchObject({ code: 'setup-conflict', message: 'no\nnor this' })
    expect(refused.made).toEqual([])
    const around = createServer([1], { refusals: ['no'], around: true })
    expect((await around.apply()).refusals).toEqual(['no'])
    expect(around.made).toEqual([1])
  })

  it('prepares each round, and makes nothing if that fails', async () => {
    const failing = createServer([1], { prepare: () => Promise.reject(new AgentError('vault-unreachable', 'down')) })
    await expect(failing.apply()).rejects.toMatchObject({ code: 'vault-unreachable' })
    expect(failing.made).toEqual([])
  })

  it('looks again where another run was faster: what that one made is not told as made here', async () => {
    const server = createServer([1, 2], {
      makeOne: async (change, attempt) => {
        server.held.add(change)
        if (change === 1 && attempt === 1) throw overtaken
      },
    })
    await server.apply()
    expect(server.made).toEqual([2])
  })

  it('looks again after a change that the rest needs', async () => {
    const server = createServer([1, 2, 3], { needsRecheck: (change) => change === 1 })
    await server.apply()
    expect(server.made).toEqual([1, 2, 3])
    expect(server.looks()).toBe(3)
  })

  it('ends at any other failure, with what was made until then', async () => {
    const server = createServer([1, 2, 3], {
      makeOne: async (change) => {
        if (change === 2) throw new AgentError('setup-refused', 'never')
        server.held.add(change)
      },
    })
    await expect(server.apply()).rejects.toMatchObject({ code: 'setup-refused' })
    expect(server.made).toEqual([1])
  })

  it('names what the server has forgotten twice', async () => {
    const forgetful = createServer([1, 2], {
      makeOne: async (change) => void (change === 1 && forgetful.held.add(change)),
    })
    await expect(forgetful.apply()).rejects.toMatchObject({ code: 'setup-contended', message: 'number 2' })
    expect(forgetful.made).toEqual([1, 2, 2])
  })

  it('gives up after six rounds where nothing is counted', async () => {
    const { apply, made } = createServer([1], { makeOne: async () => {}, about: undefined })
    await expect(apply()).rejects.toMatchObject({
      code: 'setup-contended',
      message: expect.stringContaining('6 rounds') as string,
    })
    expect(made).toHaveLength(6)
  })
})

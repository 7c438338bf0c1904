/** One look of `provision watch`, on a model with etcd's rules. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createAuthCache } from '../../../../agent/operator/etcd/auth-snapshot.ts'
import { desiredState } from '../../../../agent/operator/etcd/desired.ts'
import { builtInProfiles } from '../../../../agent/operator/etcd/profile-table.ts'
import { reconcileNodes, type StepOptions } from '../../../../agent/operator/provision/step.ts'
import { createEtcdModel, type EtcdModel } from '../../../support/etcd-model.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 1)
const components = ['calico-node']

let model: EtcdModel
let cache: StepOptions['cache']
beforeEach(() => {
  model = createEtcdModel()
  cache = createAuthCache()
})

const look = (present: readonly string[], change: Partial<StepOptions> = {}) =>
  reconcileNodes(model, {
    desired: (nodes) =>
      desiredState({ profiles: builtInProfiles, components, naming: 'node', nodes, versions: [], strict: false }),
    components,
    present: new Set(present),
    isCurrent: true,
    inPlace: undefined,
    nowMs: start,
    graceMs: hour,
    cache,
    changed: () => {},
    now: () => 0,
    ...change,
  })
const users = (): string[] => [...model.content.users.keys()].toSorted()

/** Calls that read one user or role each: with thousands of them, what a look costs. */
function countReads(): { reads: number } {
  const counted = { reads: 0 }
  for (const name of ['rolesOf', 'grantsOf'] as const) {
    const call = model[name] as (subject: string) => Promise<never>
    model[name] = (subject: string) => {
      counted.reads++
      return call(subject)
    }
  }
  return counted
}

describe('a node', () => {
  it('gets its users when it comes, keeps them for the grace period, and loses them', async () => {
    await look(['a', 'b', 'c'])
    expect(users()).toEqual(['calico-node:a', 'calico-node:b', 'calico-node:c'])
    expect(await look(['a', 'b'])).toMatchObject({ vanished: ['c'], changes: 0, owned: 3 })
    expect(users()).toContain('calico-node:c')
    expect(await look(['a', 'b'], { nowMs: start + hour })).toMatchObject({ remove: ['c'], owned: 2 })
    expect(users()).toEqual(['calico-node:a', 'calico-node:b'])
    expect([...model.content.keys.keys()].filter((key) => key.includes('/departed/'))).toEqual([])
  })

  it('that comes back in time is no longer remembered as gone', async () => {
    await look(['a', 'b', 'c'])
    await look(['a', 'b'])
    await look(['a', 'b', 'c'], { nowMs: start + hour - 1 })
    expect(await look(['a', 'b'], { nowMs: start + hour + 1 })).toMatchObject({ vanished: ['c'], remove: [] })
  })

  it('whose moment in etcd is no time begins its grace period anew', async () => {
    await look(['a', 'b', 'c'])
    await look(['a', 'b'])
    const [key = ''] = [...model.content.keys.keys()].filter((each) => each.endsWith('/departed/c'))
    await model.put(key, 'yesterday or so')
    expect(await look(['a', 'b'], { nowMs: start + hour })).toMatchObject({ vanished: ['c'], remove: [] })
    expect(await look(['a', 'b'], { nowMs: start + 2 * hour })).toMatchObject({ vanished: [], remove: ['c'] })
  })
})

describe('what somebody else has made', () => {
  it('keeps its own node waiting, and no other', async () => {
    await model.addUser('calico-node:b')
    model.content.withPassword.add('calico-node:b')
    const { refusals } = await look(['a', 'b', 'c'])
    expect(refusals).toEqual([expect.stringContaining('the user calico-node:b has a password')])
    expect([...(model.content.users.get('calico-node:b') ?? [])]).toEqual([])
    expect([...(model.content.users.get('calico-node:c') ?? [])]).toHaveLength(2)
    // As the message says: the user is deleted, and made anew.
    await model.deleteUser('calico-node:b')
    model.content.withPassword.delete('calico-node:b')
    expect(await look(['a', 'b', 'c'])).toMatchObject({ refusals: [] })
    expect([...(model.content.users.get('calico-node:b') ?? [])]).toHaveLength(2)
  })

  it('is never given to a user, nor changed', async () => {
    const role = 'calico-vault-agent/calico-node:b'
    const foreign = { access: 'readwrite', key: '/registry/', end: '/registry0' } as const
    await model.addRole(role)
    await model.grant(role, foreign)
    const { refusals } = await look(['a', 'b'])
    expect(refusals).toEqual([expect.stringContaining(`the role ${role} was not made by provision`)])
    expect([...(model.content.roles.get(role)?.values() ?? [])]).toEqual([foreign])
    expect(users()).toEqual(['calico-node:a'])
  })
})

describe('with many nodes in place', () => {
  const many = Array.from({ length: 200 }, (_, index) => `node${index}`)
  const inPlace = new Set(many)

  it('one more is looked at alone', async () => {
    await look(many)
    const counted = countReads()
    // Another replica has changed something: nothing that is remembered holds.
    await model.addRole('others')
    await look([...many, 'new'], { inPlace })
    expect(users()).toContain('calico-node:new')
    expect(counted.reads).toBeLessThan(10)
  })

  it('each step makes or removes one, and the new ones come first', async () => {
    await look(many)
    const present = [...many.slice(2), 'new1', 'new2']
    await look(present.slice(0, -2), { inPlace })
    const later = { nowMs: start + hour }
    let state = await look(present, { ...later, inPlace: new Set(many.slice(2)) })
    const seen = []
    for (;;) {
      const news = users().filter((user) => user.includes(':new')).length
      seen.push(`${news} new, ${state.remove.length} removed`)
      if (!state.isMore) break
      state = await look(present, { ...later, inPlace: state.inPlace })
    }
    expect(seen).toEqual(['1 new, 0 removed', '2 new, 0 removed', '2 new, 1 removed', '2 new, 1 removed'])
    expect(users()).toHaveLength(200)
    expect(state.inPlace).toEqual(new Set(present))
  })

  it('looking at everything reads nothing again while nobody else has changed anything', async () => {
    await look(many)
    const counted = countReads()
    await look([...many, 'new'], { inPlace })
    await look([...many, 'new'])
    expect(counted.reads).toBe(0)
    await model.grant('calico-vault-agent/calico-node:node7', { access: 'read', key: '/registry/', end: '/registry0' })
    expect(await look([...many, 'new'])).toMatchObject({ changes: 1 })
    expect(counted.reads).toBeGreaterThan(400)
  })
})

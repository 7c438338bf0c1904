/** The rights of a node's user in few ranges: what may be asked is the same, for whatever Calico was recorded asking. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { condense } from '../../../../agent/operator/etcd/condense.ts'
import { allows, exactKey, type Grant, normalizeGrants, prefixRange } from '../../../../agent/operator/etcd/grants.ts'
import { grantsOf, rightsOf } from '../../../../agent/operator/etcd/profiles.ts'
import { asksOf, grantsFor, numberOf, profileOf, programs, versions } from '../../../support/calico-rights.ts'
import { node } from '../../../support/calico-traces.ts'

const accesses = ['read', 'write'] as const
const keys = [...new Set(programs.flatMap((program) => asksOf(program)).map(({ request }) => request.range.key))]

describe('what Calico was recorded asking for', () => {
  const choices = [[], ...versions.map((version) => [numberOf(version)])].flatMap((each) =>
    [false, true].map((strict) => ({ naming: 'node' as const, versions: each, strict })),
  )

  it.each(programs.filter((program) => profileOf(program).scope === 'node'))(
    '%s may do what its rows say',
    (program) => {
      for (const choice of choices) {
        const { shared, ofNode } = rightsOf(profileOf(program), choice)
        const plain = [...shared, ...ofNode(node)]
        const differs = keys.flatMap((key) =>
          accesses
            .map((access) => ({ access, ...exactKey(key) }))
            .filter((wanted) => allows(grantsFor(program, choice), wanted) !== allows(plain, wanted)),
        )
        expect([choice, differs]).toEqual([choice, []])
        expect(grantsFor(program, choice).length).toBeLessThanOrEqual(normalizeGrants(plain).length)
      }
    },
  )

  it('the users of a node have no more ranges to build than these', () => {
    const ranges = (grants: readonly Grant[]): number =>
      grants.reduce((sum, { access }) => sum + (access === 'readwrite' ? 2 : 1), 0)
    const of = (program: string): number => ranges(grantsFor(program, { naming: 'node', versions: [], strict: false }))
    expect([of('calico-node'), of('calico-cni')]).toEqual([18, 8])
  })

  it('what runs once has its ranges as the table says', () => {
    const { shared } = grantsOf(profileOf('calico-kube-controllers'), { naming: 'node', versions: [], strict: false })
    expect(shared.map(({ key }) => key)).toContain('/calico/ipam/v2/handle/')
  })
})

describe('condensing', () => {
  const key = fc.string({ unit: fc.constantFrom('/', 'a', 'b'), minLength: 1, maxLength: 4 })
  const grants = fc.array(
    fc
      .tuple(fc.constantFrom('read', 'write', 'readwrite'), fc.oneof(key.map(prefixRange), key.map(exactKey)))
      .map(([access, range]): Grant => ({ access, ...range })),
  )

  it('changes nothing of what a user may do by all its roles', () => {
    fc.assert(
      fc.property(grants, grants, key, fc.constantFrom(...accesses), (own, beside, at, access) => {
        const wanted = { access, ...exactKey(at) }
        expect(allows([...condense(own, beside), ...beside], wanted)).toBe(allows([...own, ...beside], wanted))
      }),
    )
  })

  it('joins neighbours of the same right, and only as far as they have it', () => {
    const ipam = (name: string) => prefixRange(`/calico/ipam/v2/${name}/`)
    const rw = (range: ReturnType<typeof ipam>): Grant => ({ access: 'readwrite', ...range })
    const config = exactKey('/calico/ipam/v2/config')
    const all = [rw(ipam('assignment')), rw(config), rw(ipam('handle')), rw(ipam('host'))]
    expect(condense(all)).toEqual([{ ...rw(ipam('assignment')), end: '/calico/ipam/v2/host0' }])
    const reading: Grant = { access: 'read', ...config }
    expect(condense(all.with(1, reading))).toEqual([
      rw(ipam('assignment')),
      reading,
      { ...rw(ipam('handle')), end: '/calico/ipam/v2/host0' },
    ])
    expect(condense(all.slice(0, 2))).toEqual([{ ...rw(ipam('assignment')), end: '/calico/ipam/v2/config\0' }])
  })
})

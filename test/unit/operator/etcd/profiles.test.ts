import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCalicoVersion, parseCalicoVersions } from '../../../../agent/config/calico-version.ts'
import { desiredState } from '../../../../agent/operator/etcd/desired.ts'
import {
  allows,
  contains,
  describeRange,
  exactKey,
  type Grant,
  normalizeGrants,
  prefixRange,
} from '../../../../agent/operator/etcd/grants.ts'
import { keysProblem } from '../../../../agent/operator/etcd/profile-file.ts'
import { builtInProfiles, defaultComponents } from '../../../../agent/operator/etcd/profile-table.ts'
import { condense, grantsOf, rightsOf } from '../../../../agent/operator/etcd/profiles.ts'
import { asksOf, grantsFor, numberOf, profileOf, programs, versions } from '../../../support/calico-rights.ts'
import { node } from '../../../support/calico-traces.ts'

const P = '/calico/resources/v3/projectcalico.org/'
const names = Object.keys(builtInProfiles)
const profile = (name: string) => builtInProfiles[name] ?? { scope: 'cluster' as const, about: '', rows: [] }
const writes = (grants: readonly Grant[], key: string): boolean =>
  grants.some((grant) => grant.access !== 'read' && contains(grant, exactKey(key)))

describe('the table', () => {
  it.each(names)('%s: rows that are valid, sourced, and never write without reading', (name) => {
    const { scope, rows, about } = profile(name)
    expect(about).not.toBe('')
    for (const row of rows) {
      expect([row.keys, keysProblem(row.keys, scope)]).toEqual([row.keys, undefined])
      expect((row.trace ?? '') + (row.because ?? '')).not.toBe('')
      // Every change of Calico's is a transaction that also reads.
      expect(row.access).not.toBe('write')
      expect(row.naming === 'node' || !row.keys.includes('{node}')).toBe(true)
    }
  })

  const anyVersion = { versions: [], strict: false }

  it.each(names)('%s: per-node naming never writes more than the naming by component', (name) => {
    const wide = condense(grantsOf(profile(name), { ...anyVersion, naming: 'component' }).shared)
    const { shared, ofNode } = grantsOf(profile(name), { ...anyVersion, naming: 'node' })
    for (const grant of [...shared, ...ofNode('node1')].filter(({ access }) => access !== 'read')) {
      expect([describeRange(grant), wide.some((each) => each.access !== 'read' && contains(each, grant))]).toEqual([
        describeRange(grant),
        true,
      ])
    }
  })

  it.each(names)('%s: nothing of one node reaches another', (name) => {
    const { ofNode } = grantsOf(profile(name), { ...anyVersion, naming: 'node' })
    for (const grant of ofNode('node1')) {
      for (const other of ofNode('node11')) expect(contains(grant, other)).toBe(false)
    }
  })

  it('no component reaches outside /calico/, except kube-apiserver', () => {
    for (const name of names.filter((each) => each !== 'kube-apiserver')) {
      for (const grant of grantsOf(profile(name), { ...anyVersion, naming: 'component' }).shared)
        expect(grant.key).toMatch(/^\/calico\//)
    }
  })

  it('has the four components of the default', () => {
    for (const name of defaultComponents) expect(names).toContain(name)
  })
})

describe('AGENT_CALICO_VERSION', () => {
  const of = (running: readonly number[], name: string) =>
    grantsOf(profile(name), { naming: 'component', versions: running, strict: false }).shared
  const at = (version: string, key: string, name = 'calico-node') =>
    writes(of(parseCalicoVersions(version) ?? [], name), `${P}${key}`)

  it.each([
    ['v3.28.5', 'tiers/default', false],
    ['v3.29.0', 'tiers/default', true],
    ['v3.31.7', 'bgpconfigurations/default', false],
    ['v3.32.1', 'bgpconfigurations/default', true],
    ['v3.32.1', 'ipamconfigurations/default', false],
    ['v3.33.0', 'ipamconfigurations/default', true],
    ['v3.31.7', 'tiers/kube-admin', false],
    ['v3.30.7,v3.32.1', 'tiers/kube-admin', true],
    ['v3.30.7,v3.32.1', 'tiers/adminnetworkpolicy', true],
    ['v3.32.1', 'tiers/adminnetworkpolicy', false],
  ])('%s: writes %s: %s', (version, key, expected) => {
    expect(at(version, key)).toBe(expected)
  })

  it('narrows: every version asks for a part of the superset', () => {
    for (const name of names) {
      const all = of([], name)
      for (let minor = 20; minor < 40; minor++) {
        for (const grant of of([30_000 + minor], name)) {
          expect(all.some((each) => contains(each, grant))).toBe(true)
        }
      }
    }
  })

  it.each(['', 'latest', 'v3', '3.x', '3.32x'])('%j is no version', (text) => {
    expect(parseCalicoVersion(text)).toBeUndefined()
  })

  it('several, each once; none of them may be wrong', () => {
    expect(parseCalicoVersions('v3.30.7, v3.32.1,3.32')).toEqual([30_030, 30_032])
    for (const text of ['v3.30.7,', ',', 'v3.30.7,latest']) expect(parseCalicoVersions(text)).toBeUndefined()
  })
})

describe('the desired state', () => {
  const state = (naming: 'component' | 'node', components: string[], strict = false) =>
    desiredState({ profiles: builtInProfiles, components, naming, nodes: ['a', 'b'], versions: [], strict })

  it('by component: a user and a role each', () => {
    const { users, roles } = state('component', ['calico-node', 'calicoctl'])
    expect([...users]).toEqual([
      ['calico-node', { roles: ['calico-vault-agent/calico-node'] }],
      ['calicoctl', { roles: ['calico-vault-agent/calicoctl'] }],
    ])
    expect([...roles.keys()]).toEqual(['calico-vault-agent/calico-node', 'calico-vault-agent/calicoctl'])
  })

  it('per node: a shared role, and one for each node; what runs once keeps its name', () => {
    const { users } = state('node', ['calico-cni', 'calico-kube-controllers', 'calico-dhcp-agent'])
    expect(Object.fromEntries(users)).toEqual({
      'calico-cni:a': { roles: ['calico-vault-agent/calico-cni:*'] },
      'calico-cni:b': { roles: ['calico-vault-agent/calico-cni:*'] },
      'calico-kube-controllers': { roles: ['calico-vault-agent/calico-kube-controllers'] },
      'calico-dhcp-agent:a': { roles: ['calico-vault-agent/calico-dhcp-agent:*'] },
      'calico-dhcp-agent:b': { roles: ['calico-vault-agent/calico-dhcp-agent:*'] },
    })
  })

  it('per node with --strict: the CNI plugin has a role of its node too', () => {
    const { users, roles } = state('node', ['calico-cni'], true)
    expect(users.get('calico-cni:a')?.roles).toEqual([
      'calico-vault-agent/calico-cni:*',
      'calico-vault-agent/calico-cni:a',
    ])
    expect(roles.get('calico-vault-agent/calico-cni:a')?.map(describeRange)).toEqual(['/calico/ipam/v2/host/a/*'])
  })

  it('the two namings share no role and no user, so that both can stand at once', () => {
    const [one, other] = [
      state('component', ['calico-node', 'calico-cni']),
      state('node', ['calico-node', 'calico-cni']),
    ]
    for (const role of one.roles.keys()) expect(other.roles.has(role)).toBe(false)
    for (const user of one.users.keys()) expect(other.users.has(user)).toBe(false)
  })
})

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

  it('joins neighbors of the same right, and only as far as they have it', () => {
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

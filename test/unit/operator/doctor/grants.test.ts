import { describe, expect, it } from 'vitest'
import { judgeGrants, wantedGrants } from '../../../../agent/operator/doctor/checks/etcd.ts'
import { type Grant, prefixRange } from '../../../../agent/operator/etcd/grants.ts'
import { builtInProfiles } from '../../../../agent/operator/etcd/profile-table.ts'
import { type Choice, grantsOf } from '../../../../agent/operator/etcd/profiles.ts'

const profile = builtInProfiles['calico-node'] ?? { scope: 'node' as const, about: '', rows: [] }
const target = { component: 'calico-node', commonName: 'calico-node:node1' }
const everything = { versions: [], strict: false }

function judge(versions: readonly number[], held: readonly Grant[], roles: readonly string[] = ['role']) {
  return judgeGrants(profile, target, 'node1', versions, { roles, grants: held })
}
function provisioned(choice: Omit<Choice, 'naming'>): readonly Grant[] {
  const { shared, ofNode } = grantsOf(profile, { ...choice, naming: 'node' })
  return [...shared, ...ofNode('node1')]
}

describe('grants of a user of one node', () => {
  it.each<[string, readonly Grant[], string]>([
    ['as provision grants it', provisioned(everything), 'ok'],
    ['as the table says it, granted by hand', wantedGrants(profile, target, 'node1', everything), 'ok'],
    ['more', [{ access: 'readwrite', ...prefixRange('/') }], 'ok'],
    ['only to be read', [{ access: 'read', ...prefixRange('/') }], 'failure'],
    ['nothing', [], 'failure'],
  ])('%s: %s', (_what, held, status) => {
    expect(judge([], held).status).toBe(status)
  })

  it('a range that two grants cover together is covered, as etcd sees it', () => {
    const halves: Grant[] = [
      { access: 'readwrite', key: '/', end: '/calico/r' },
      { access: 'readwrite', key: '/calico/r', end: '0' },
    ]
    expect(judge([], halves).status).toBe('ok')
  })

  it('root may everything, which is too much', () => {
    expect(judge([], [], ['root']).status).toBe('warning')
  })

  it('provisioned for one version of Calico, and nobody says which here: enough for that one is enough', () => {
    const held = provisioned({ versions: [30_032], strict: false })
    expect(judge([], held)).toMatchObject({
      status: 'ok',
      saw: expect.stringContaining('enough for Calico v3.28, v3.32, by role'),
    })
    expect(judge([30_032], held).status).toBe('ok')
    // What v3.33 writes besides, it writes at its first start only.
    expect(judge([30_033], held).status).toBe('warning')
    expect(judge([30_030], held)).toMatchObject({
      status: 'failure',
      saw: expect.stringContaining('lacks readwrite /calico/resources/v3/projectcalico.org/tiers/adminnetworkpolicy'),
    })
    expect(judge([30_030, 30_032], held).status).toBe('failure')
  })

  it('provisioned with --strict: enough while it runs, but an upgrade needs more', () => {
    for (const versions of [[], [30_033]]) {
      expect(judge(versions, provisioned({ versions, strict: true }))).toMatchObject({
        status: 'warning',
        saw: expect.stringContaining('not for its first start and not for an upgrade'),
        advice: expect.stringContaining('without --strict'),
      })
    }
  })
})

it('the name tells the naming', () => {
  const of = (commonName: string) => wantedGrants(profile, { ...target, commonName }, 'node1', everything)
  const ofNode = (commonName: string) => of(commonName).filter(({ key }) => key.includes('node1'))
  expect(ofNode('calico-node')).toEqual([])
  expect(ofNode('calico-node:node1').length).toBeGreaterThan(0)
})

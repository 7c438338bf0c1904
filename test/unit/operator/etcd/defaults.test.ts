import { describe, expect, it } from 'vitest'
import { parseWantedPools } from '../../../../agent/config/calico-pools.ts'
import { ConfigError } from '../../../../agent/core/errors.ts'
import {
  type DefaultsWish,
  keyOf,
  makeDefaults,
  planDefaults,
  readDefaults,
} from '../../../../agent/operator/etcd/defaults.ts'
import { resources } from '../../../../agent/operator/etcd/profile-table.ts'
import { createEtcdModel } from '../../../support/etcd-model.ts'

const pools = parseWantedPools({ CALICO_IPV4POOL_CIDR: '10.244.0.0/16' })
const noWish: DefaultsWish = { versions: [], strict: false, pools: undefined }
const at = { uid: () => 'a-uid', nowMs: Date.parse('2026-11-21T01:02:03.456Z') }

async function planFor(objects: Readonly<Record<string, string>>, wish: Partial<DefaultsWish> = {}) {
  const model = createEtcdModel()
  for (const [name, value] of Object.entries(objects)) await model.put(`${resources}${name}`, value)
  return { model, ...planDefaults(await readDefaults(model), { ...noWish, ...wish }) }
}

const complete = {
  'ippools/mine': '{"spec":{"cidr":"10.0.0.0/8"}}',
  'felixconfigurations/default': '{"spec":{"reportingInterval":"0s","logSeverityScreen":"Info"}}',
  'bgpconfigurations/default': '{}',
}

describe('a fresh datastore', () => {
  it('lacks a pool and the default configurations', async () => {
    const { missing, make } = await planFor({})
    expect(make).toEqual([])
    expect(missing.map((text) => text.split(/[:,]/)[0])).toEqual([
      'there is no IP pool',
      'there is no FelixConfiguration "default"',
      'there is no BGPConfiguration "default"',
    ])
    for (const text of missing) expect(text).toContain('make it with provision apply --defaults')
  })

  it('gets them with --defaults, as Calico itself would make them', async () => {
    const { model, missing, make } = await planFor({}, { pools })
    expect(missing).toEqual([])
    expect(await makeDefaults(model, make, at)).toEqual(make)
    const written = async (key: string) => JSON.parse((await model.get(`${resources}${key}`))?.value ?? 'null')
    const head = (kind: string, name: string) => ({
      kind,
      apiVersion: 'projectcalico.org/v3',
      metadata: { name, uid: 'a-uid', creationTimestamp: '2026-11-21T01:02:03Z' },
    })
    expect(await written('ippools/default-ipv4-ippool')).toEqual({
      ...head('IPPool', 'default-ipv4-ippool'),
      spec: {
        cidr: '10.244.0.0/16',
        blockSize: 26,
        ipipMode: 'Never',
        vxlanMode: 'Never',
        natOutgoing: true,
        nodeSelector: 'all()',
        allowedUses: ['Workload', 'Tunnel'],
        assignmentMode: 'Automatic',
      },
    })
    expect(await written('felixconfigurations/default')).toEqual({
      ...head('FelixConfiguration', 'default'),
      spec: { logSeverityScreen: 'Info', reportingInterval: '0s' },
    })
    expect(await written('bgpconfigurations/default')).toEqual({ ...head('BGPConfiguration', 'default'), spec: {} })
    expect(planDefaults(await readDefaults(model), { ...noWish, pools })).toEqual({ missing: [], make: [] })
  })

  it('needs to be told which addresses, and may be told none', async () => {
    await expect(planFor({}, { pools: { ipv4: undefined, ipv6: undefined } })).rejects.toThrow(ConfigError)
    const { missing, make } = await planFor({}, { pools: { ipv4: 'none', ipv6: undefined } })
    expect(missing.join()).toContain('NO_DEFAULT_POOLS=true')
    expect(make.map(({ kind }) => kind)).toEqual(['FelixConfiguration', 'BGPConfiguration'])
  })

  it('before v3.32 needs no BGPConfiguration', async () => {
    const kinds = async (...versions: number[]) => (await planFor({}, { pools, versions })).make.map(({ kind }) => kind)
    expect(await kinds(30_030)).toEqual(['IPPool', 'FelixConfiguration'])
    expect(await kinds(30_030, 30_032)).toEqual(['IPPool', 'FelixConfiguration', 'BGPConfiguration'])
  })
})

describe('what exists', () => {
  it('is enough, and never written over', async () => {
    const { model, missing, make } = await planFor(complete, { pools })
    expect([missing, make]).toEqual([[], []])
    const others = { kind: 'BGPConfiguration', name: 'default', spec: {} } as const
    expect(await makeDefaults(model, [others], at)).toEqual([])
    expect((await model.get(keyOf(others)))?.value).toBe('{}')
  })

  it('a pool of one family does not stand for the other', async () => {
    const both = parseWantedPools({ CALICO_IPV4POOL_CIDR: '10.244.0.0/16', CALICO_IPV6POOL_CIDR: 'fd00::/48' })
    expect((await planFor(complete, { pools: both })).make.map(({ name }) => name)).toEqual(['default-ipv6-ippool'])
  })

  it.each(['{', 'null', '{"spec":null}', '{"spec":{"reportingInterval":null,"logSeverityScreen":"x"}}'])(
    'an incomplete FelixConfiguration %s is told with the command that completes it',
    async (value) => {
      const { missing, make } = await planFor({ ...complete, 'felixconfigurations/default': value }, { pools })
      expect(make).toEqual([])
      expect(missing.join()).toMatch(/"default" lacks .*reportingInterval.*calicoctl patch felixconfiguration default/)
    },
  )
})

describe('with --strict', () => {
  const strict = { strict: true, versions: [30_033] }

  it('nothing of one node may write the version of a first start or an upgrade', async () => {
    const { missing } = await planFor(complete, strict)
    expect(missing.map((text) => text.split(':')[0])).toEqual([
      'there is no ClusterInformation "default" with a version',
      'there is no IPAMConfiguration "default"',
    ])
    for (const text of missing) expect(text).toContain('run provision apply without --strict')
  })

  it('another version than the one that is written is told, the same is not', async () => {
    const cluster = '{"spec":{"calicoVersion":"v3.32.1"}}'
    const there = { ...complete, 'clusterinformations/default': cluster, 'ipamconfigurations/default': '{}' }
    expect((await planFor(there, { strict: true, versions: [30_032] })).missing).toEqual([])
    const { missing } = await planFor(there, { strict: true, versions: [30_032, 30_033] })
    expect(missing.join()).toContain('says v3.32: with --strict a calico-node of v3.33 cannot change that')
  })
})

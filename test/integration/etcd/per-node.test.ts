/** Per-node naming on real etcd: what the key of one node can and cannot do to another, and what comes and goes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { etcdGet, etcdPut } from '../../support/etcd-grpc.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { etcdVersions, type Operator, operatorFiles, startMembers, titleOf } from './rig.ts'

const P = '/calico/resources/v3/projectcalico.org/'
const components = 'calico-node,calico-cni'

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    let etcd: RealEtcd
    let operator: Operator
    const provision = (...args: string[]) => operator.provision(args, { env: { AGENT_CALICO_VERSION: 'v3.32.1' } })
    const naming = (nodes: string) => ['--naming', 'node', '--nodes', nodes, '--components', components]
    const put = async (user: string, key: string) => {
      const answer = await etcdPut(await etcd.client(user), key, '{}')
      return answer.ok ? 'ok' : answer.code
    }
    const denied = 7

    beforeAll(async () => {
      ;[etcd] = (await startMembers(version)) as [RealEtcd]
      operator = operatorFiles(await etcd.client('admin'))
      const { code, stderr } = await provision('apply', '--enable-auth', '--yes', ...naming('node1,node11,node2'))
      if (code !== 0) throw new Error(stderr)
    })
    afterAll(async () => {
      operator?.remove()
      await etcd?.stop()
    })

    const own = (node: string): string[] => [
      `${P}nodes/${node}`,
      `${P}felixconfigurations/node.${node}`,
      `/calico/felix/v1/host/${node}/endpoint`,
      `/calico/felix/v2/no-region/host/${node}/status`,
      `/calico/ipam/v2/host/${node}/ipv4/block/10.0.0.0-26`,
    ]

    it('a node writes its own keys', async () => {
      for (const key of own('node1')) expect([key, await put('calico-node:node1', key)]).toEqual([key, 'ok'])
    })

    it.each(['node2', 'node11', 'node', 'node1.example'])('and not those of %s', async (other) => {
      for (const key of own(other)) expect([key, await put('calico-node:node1', key)]).toEqual([key, denied])
    })

    it('nor what belongs to the cluster, except what cannot be withheld', async () => {
      for (const key of ['ippools/default-ipv4-ippool', 'felixconfigurations/default', 'bgpconfigurations/default']) {
        expect([key, await put('calico-node:node1', `${P}${key}`)]).toEqual([key, denied])
      }
      for (const key of ['workloadendpoints/ns/node2-k8s-a-eth0', 'globalnetworkpolicies/a', 'tiers/mine']) {
        expect([key, await put('calico-node:node1', `${P}${key}`)]).toEqual([key, denied])
      }
      // docs/etcd.md, "What cannot be scoped".
      for (const key of [
        `${P}tiers/default`,
        `${P}clusterinformations/default`,
        '/calico/ipam/v2/handle/of-another',
        '/calico/ipam/v2/assignment/a',
      ]) {
        expect([key, await put('calico-node:node1', key)]).toEqual([key, 'ok'])
      }
    })

    it('and reads what Felix and confd read', async () => {
      const identity = await etcd.client('calico-node:node1')
      for (const key of [`${P}nodes/node2`, `${P}globalnetworkpolicies/a`, '/calico/ipam/v2/assignment/a']) {
        expect(await etcdGet(identity, key)).toMatchObject({ ok: true })
      }
      for (const key of ['/registry/secrets/a', '/calico/ipam/v2/host/node2/a', '/calico/felix/v1/host/node2/a']) {
        expect(await etcdGet(identity, key)).toMatchObject({ ok: false })
      }
    })

    it("the CNI's key gives back what was borrowed of another node's block, and writes any workload endpoint", async () => {
      const block = (node: string) => `/calico/ipam/v2/host/${node}/ipv4/block/10.0.0.0-26`
      expect(await put('calico-cni:node1', block('node1'))).toBe('ok')
      expect(await put('calico-cni:node1', block('node11'))).toBe('ok')
      expect(await put('calico-cni:node1', `${P}nodes/node1`)).toBe(denied)
      expect(await put('calico-cni:node1', `${P}workloadendpoints/ns/node2-k8s-a-eth0`)).toBe('ok')
    })

    it('says which defaults are missing, and makes them before anything else', async () => {
      const root = await etcd.client('admin')
      const plan = (...more: string[]) => provision('plan', ...naming('node1,node11,node2'), ...more)
      const before = await plan()
      expect([before.code, before.stdout]).toEqual([0, expect.stringContaining('there is no IP pool')])
      expect(before.stdout).toContain('there is no FelixConfiguration "default"')
      expect(before.stdout).toContain('there is no BGPConfiguration "default"')

      const unsaid = await plan('--defaults')
      expect([unsaid.code, unsaid.stderr]).toEqual([78, expect.stringContaining('CALICO_IPV4POOL_CIDR is required')])
      // What somebody else has made stays as it is.
      await etcdPut(root, `${P}felixconfigurations/default`, '{"spec":{"logSeverityScreen":"Debug"}}')
      const env = { AGENT_CALICO_VERSION: 'v3.32.1', CALICO_IPV4POOL_CIDR: '10.244.0.0/16' }
      const withDefaults = (action: string, ...more: string[]) =>
        operator.provision([action, ...naming('node1,node11,node2'), '--defaults', ...more], { env })
      const would = await withDefaults('plan', '--detailed-exitcode')
      expect([would.code, would.stdout]).toEqual([2, expect.stringContaining('Plan: 2 to add, 0 to change')])
      const made = await withDefaults('apply', '--yes')
      expect([made.code, made.stdout]).toEqual([0, expect.stringContaining('Done: 2 changes')])
      expect(await etcdGet(root, `${P}ippools/default-ipv4-ippool`)).toMatchObject({
        value: expect.stringContaining('"cidr":"10.244.0.0/16"'),
      })
      expect(await etcdGet(root, `${P}felixconfigurations/default`)).toMatchObject({
        value: '{"spec":{"logSeverityScreen":"Debug"}}',
      })

      const incomplete = await withDefaults('plan', '--output', 'json')
      expect(JSON.parse(incomplete.stdout)).toMatchObject({
        inStep: true,
        notes: [expect.stringContaining('the FelixConfiguration "default" lacks reportingInterval')],
      })
      const spec = '{"spec":{"logSeverityScreen":"Debug","reportingInterval":"0s"}}'
      await etcdPut(root, `${P}felixconfigurations/default`, spec)
      expect((await plan()).stdout).toBe('In step: nothing to do.\n')
    })

    it('--strict: no node writes the version of Calico, and it comes back without', async () => {
      const key = `${P}clusterinformations/default`
      expect(await put('calico-node:node1', key)).toBe('ok')
      const strict = await provision('apply', '--yes', ...naming('node1,node11,node2'), '--strict')
      expect(strict.stdout).toContain(`revoke write ${key}`)
      expect(strict.stdout).toContain('there is no ClusterInformation "default" with a version')
      expect(await put('calico-node:node1', key)).toBe(denied)
      expect((await provision('apply', '--yes', ...naming('node1,node11,node2'))).code).toBe(0)
      expect(await put('calico-node:node1', key)).toBe('ok')
    })

    it('a node that is gone stays until --prune, and what provision did not make stays for ever', async () => {
      const auth = etcdAuth(await etcd.client('admin'))
      await auth.addUser('calico-node:by-hand')
      await auth.addRole('calico-vault-agent/by-hand')
      const kept = await provision('apply', '--yes', ...naming('node1,node11'))
      // With --strict the CNI plugins had roles of their own.
      expect(kept.stdout).toContain(
        '2 users and 4 roles that provision has made are not wanted any more; --prune removes them',
      )
      expect(await put('calico-node:node2', `${P}nodes/node2`)).toBe('ok')

      const plan = await provision('plan', '--detailed-exitcode', '--prune', ...naming('node1,node11'))
      expect(plan.code).toBe(2)
      expect(plan.stdout).toContain('6 to take away')
      expect((await provision('apply', '--prune', '--yes', ...naming('node1,node11'))).code).toBe(0)
      expect(await put('calico-node:node2', `${P}nodes/node2`)).toBe(denied)
      expect((await auth.users()).toSorted()).toEqual(
        [
          'admin',
          'calico-cni:node1',
          'calico-cni:node11',
          'calico-node:by-hand',
          'calico-node:node1',
          'calico-node:node11',
          'root',
        ].toSorted(),
      )
      expect(await auth.roles()).toContain('calico-vault-agent/by-hand')
      expect((await provision('plan', '--detailed-exitcode', '--prune', ...naming('node1,node11'))).code).toBe(0)
    })

    it('repairs what somebody has changed', async () => {
      const auth = etcdAuth(await etcd.client('admin'))
      await auth.grantPrefix('calico-vault-agent/calico-node:node1', 'readwrite', '/')
      await auth.revokeRole('calico-node:node1', 'calico-vault-agent/calico-node:*')
      await auth.deleteUser('calico-cni:node1')
      const { stdout } = await provision('apply', '--yes', ...naming('node1,node11'))
      expect(stdout).toContain('Done: 4 changes.')
      expect(stdout).toContain(
        '- role calico-vault-agent/calico-node:node1: revoke readwrite /* (its profile does not need it)',
      )
      expect((await provision('plan', '--detailed-exitcode', ...naming('node1,node11'))).code).toBe(0)
      expect(await put('calico-node:node1', '/registry/a')).toBe(denied)
    })

    it('moves to the naming by component and back without a moment without rights', async () => {
      expect((await provision('apply', '--yes', '--naming', 'component', '--components', components)).code).toBe(0)
      expect(await put('calico-node', `${P}nodes/node1`)).toBe('ok')
      expect(await put('calico-node:node1', `${P}nodes/node1`)).toBe('ok')
      expect((await provision('apply', '--yes', '--prune', ...naming('node1,node11'))).code).toBe(0)
      expect(await put('calico-node', `${P}nodes/node1`)).toBe(denied)
      expect(await put('calico-node:node1', `${P}nodes/node1`)).toBe('ok')
    })

    it('two applies at once end in step', async () => {
      const nodes = Array.from({ length: 12 }, (_, index) => `twin${index}`).join(',')
      const both = await Promise.all([1, 2].map(() => provision('apply', '--yes', '--prune', ...naming(nodes))))
      expect(both.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
        { code: 0, stderr: '' },
        { code: 0, stderr: '' },
      ])
      expect((await provision('plan', '--detailed-exitcode', '--prune', ...naming(nodes))).code).toBe(0)
    })
  })
}

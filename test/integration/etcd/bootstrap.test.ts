/** A fresh etcd, `provision apply --enable-auth`, and what each of Calico's four users can do afterwards. */
import { describe, expect, it } from 'vitest'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type EtcdIdentity, etcdGet, etcdPut } from '../../support/etcd-grpc.ts'
import { givenOperator } from './given.ts'
import { etcdVersions, runProvision, titleOf } from './rig.ts'

const P = '/calico/resources/v3/projectcalico.org/'

/**
 * Written by hand, not taken from the profiles: tigera/docs' table with the corrections that real Calico v3.32.1 asked for.
 * `-` neither, `r` reads, `w` reads and writes; the columns are calico-node, calico-cni, calico-kube-controllers, calicoctl.
 */
const expected: readonly (readonly [key: string, rights: string])[] = [
  [`${P}ippools/a`, 'rrrw'],
  [`${P}ippools/default-ipv4-ippool`, 'wrrw'],
  [`${P}nodes/node1`, 'wrww'],
  [`${P}globalnetworkpolicies/default.a`, 'r-ww'],
  [`${P}networkpolicies/ns/default.a`, 'r-ww'],
  [`${P}globalnetworksets/a`, 'r-rw'],
  [`${P}networksets/ns/a`, 'r-rw'],
  [`${P}profiles/kns.default`, 'r-ww'],
  [`${P}profiles/mine`, 'r-rw'],
  [`${P}tiers/default`, 'w-ww'],
  [`${P}tiers/kube-admin`, 'w-ww'],
  [`${P}tiers/mine`, 'r-rw'],
  [`${P}bgpconfigurations/default`, 'w-rw'],
  [`${P}bgpconfigurations/node.node1`, 'r-ww'],
  [`${P}bgppeers/a`, 'r-ww'],
  [`${P}hostendpoints/a`, 'r-ww'],
  [`${P}workloadendpoints/ns/node1-k8s-pod-eth0`, 'rwww'],
  [`${P}ipreservations/a`, 'rrrw'],
  [`${P}blockaffinities/a`, 'rrrw'],
  [`${P}clusterinformations/default`, 'wrww'],
  [`${P}clusterinformations/other`, 'r-rw'],
  [`${P}felixconfigurations/default`, 'w-rw'],
  [`${P}felixconfigurations/node.node1`, 'w-ww'],
  [`${P}caliconodestatuses/a`, 'r-rw'],
  [`${P}ipamconfigurations/default`, 'r-rw'],
  [`${P}kubecontrollersconfigurations/default`, 'r-ww'],
  ['/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26', 'wwww'],
  ['/calico/ipam/v2/handle/a', 'wwww'],
  ['/calico/ipam/v2/config', 'wwww'],
  ['/calico/ipam/v2/other', '---w'],
  ['/calico/felix/v1/host/node1/endpoint', 'w---'],
  ['/calico/felix/v2/no-region/host/node1/status', 'w---'],
  ['/calico/felix/v2/region/host/node1/status', '----'],
  ['/calico/resources/v3/other', '----'],
  ['/calico/resources/v3/projectcalico.orgx', '----'],
  ['/registry/secrets/default/a', '----'],
  ['/calico-vault-agent/provision/in-step', '----'],
  ['other', '----'],
]
const users = ['calico-node', 'calico-cni', 'calico-kube-controllers', 'calicoctl']

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    const given = givenOperator(version)
    const byComponent = ['--naming', 'component']
    const provision = (...args: string[]) =>
      given.operator.provision([...args, ...byComponent], { env: { AGENT_CALICO_VERSION: 'v3.32.1' } })

    it('takes what is set for etcdctl', async () => {
      const { ETCD_ENDPOINTS = '', ETCD_CA_CERT_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE } = given.operator.env
      const env = {
        ETCDCTL_ENDPOINTS: ETCD_ENDPOINTS.replaceAll('https://', ''),
        ETCDCTL_CACERT: ETCD_CA_CERT_FILE,
        ETCDCTL_CERT: ETCD_CERT_FILE,
        ETCDCTL_KEY: ETCD_KEY_FILE,
      }
      expect(await runProvision(['plan', ...byComponent], { env })).toMatchObject({ code: 0, stderr: '' })
    })

    it('plan says what is missing, and changes nothing', async () => {
      const { code, stdout } = await provision('plan', '--output', 'json', '--detailed-exitcode')
      expect(code).toBe(2)
      expect((await provision('plan')).code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ inStep: false, authEnabled: false })
      expect(await etcdAuth(await given.etcd.client('admin')).users()).toEqual([])
    })

    it('apply --enable-auth makes users and roles, and lets the operator in', async () => {
      const { code, stdout, stderr } = await provision('apply', '--enable-auth', '--yes')
      expect(stderr).toBe('')
      expect(code).toBe(0)
      expect(stdout).toContain('+ user calico-cni: give the role calico-vault-agent/calico-cni (the user needs it)')
      expect(stdout).toContain('authentication is on')
      const auth = etcdAuth(await given.etcd.client('admin'))
      expect((await auth.users()).toSorted()).toEqual(['admin', ...users, 'root'].toSorted())
      expect(await auth.rolesOf('admin')).toEqual(['root'])
    })

    it('is in step then, and a second apply changes nothing', async () => {
      const { code, stdout } = await provision('plan')
      expect(stdout).toBe('In step: nothing to do.\n')
      expect(code).toBe(0)
      const again = await provision('apply', '--enable-auth', '--yes', '--output', 'json')
      expect(JSON.parse(again.stdout)).toMatchObject({ inStep: true, authEnabled: true, changes: [] })
      expect(again.code).toBe(0)
    })

    it('the sources see the same as the built bundle', async () => {
      const { code, stdout, stderr } = await given.operator.provision(['plan', ...byComponent], {
        env: { AGENT_CALICO_VERSION: 'v3.32.1' },
        sources: true,
      })
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'In step: nothing to do.\n', stderr: '' })
    })

    it.each(users.map((user, column) => [user, column] as const))(
      '%s reaches exactly its ranges',
      async (user, column) => {
        const identity = await given.etcd.client(user)
        const found = await Promise.all(
          expected.map(async ([key, rights]) => [
            key,
            `${rights.slice(0, column)}${await rightOf(identity, key)}${rights.slice(column + 1)}`,
          ]),
        )
        expect(found).toEqual(expected)
      },
    )

    it('knows no user without a certificate, and no other name', async () => {
      for (const name of ['calico-node:node1', 'CALICO-NODE', 'root2']) {
        expect(await rightOf(await given.etcd.client(name), `${P}nodes/node1`)).toBe('-')
      }
      expect(await rightOf(await given.etcd.client(), `${P}nodes/node1`)).toBe('-')
    })
  })
}

async function rightOf(identity: EtcdIdentity, key: string): Promise<string> {
  const reads = (await etcdGet(identity, key)).ok
  const writes = (await etcdPut(identity, key, '{}')).ok
  return writes ? (reads ? 'w' : 'write only') : reads ? 'r' : '-'
}

/** The exported script, run by the real etcdctl against real etcd, leads to the same as apply. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { givenOperator } from './given.ts'
import { etcdVersions, runProvision, titleOf } from './rig.ts'

const hasEtcdctl = spawnSync('etcdctl', ['version'], { encoding: 'utf8' }).status === 0
const args = ['--naming', 'node', '--nodes', 'node1,node2', '--components', 'calico-node,calico-cni,calicoctl']

describe('export', () => {
  it('never prints a user without --no-password, and contacts no etcd', async () => {
    const { code, stdout, stderr } = await runProvision(['export', ...args], {})
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const line of stdout.split('\n').filter((each) => !each.startsWith('#') && each.includes('user add'))) {
      expect(line).toContain('--no-password')
    }
  })
})

for (const version of etcdVersions) {
  const title = hasEtcdctl ? titleOf(version) : `${titleOf(version)} (left out: etcdctl is not installed)`
  describe.skipIf(version.missing !== undefined || !hasEtcdctl)(`export on ${title}`, () => {
    const given = givenOperator(version)

    const run = (script: string) => {
      const file = join(tempDir(), 'provision.sh')
      writeFileSync(file, script)
      const { ETCD_ENDPOINTS, ETCD_CA_CERT_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE } = given.operator.env
      return spawnSync('sh', [file], {
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          ETCDCTL_ENDPOINTS: ETCD_ENDPOINTS,
          ETCDCTL_CACERT: ETCD_CA_CERT_FILE,
          ETCDCTL_CERT: ETCD_CERT_FILE,
          ETCDCTL_KEY: ETCD_KEY_FILE,
        },
      })
    }

    it('run twice, it leaves what apply would leave, and plan is in step', async () => {
      const { stdout } = await given.operator.provision(['export', '--enable-auth', ...args])
      const first = run(stdout)
      expect(first.stderr).toBe('')
      expect(first.status).toBe(0)
      expect(run(stdout)).toMatchObject({ status: 0, stderr: '' })
      const auth = etcdAuth(await given.etcd.client('admin'))
      expect((await auth.users()).toSorted()).toEqual(
        [
          'admin',
          'calico-cni:node1',
          'calico-cni:node2',
          'calico-node:node1',
          'calico-node:node2',
          'calicoctl',
          'root',
        ].toSorted(),
      )
      const plan = await given.operator.provision(['plan', ...args, '--output', 'json'])
      expect(JSON.parse(plan.stdout)).toMatchObject({ inStep: true, authEnabled: true, changes: [] })
      expect(plan.code).toBe(0)
    })

    it('and --prune knows what it made', async () => {
      const pruned = await given.operator.provision(['apply', '--yes', '--prune', '--components', 'calicoctl'])
      expect(pruned.code).toBe(0)
      const auth = etcdAuth(await given.etcd.client('admin'))
      expect((await auth.users()).toSorted()).toEqual(['admin', 'calicoctl', 'root'])
    })
  })
}

/** What an operator does: asks an agent in an image without a shell, and has etcd's users follow the nodes. */
import { describe, expect, it } from 'vitest'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { agentName } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { apply, type Deployment } from '../deploy.ts'
import { readyPod } from '../pods.ts'
import { until } from '../wait.ts'

/** An hour in the manifest. */
const shortGrace = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'calico-provisioner', namespace: 'kube-system' },
  spec: {
    template: { spec: { containers: [{ name: 'calico-provisioner', args: ['provision', 'watch', '--grace', '5s'] }] } },
  },
}

export function describeOperation(cluster: () => Cluster, deployment: Deployment): void {
  describe('in operation', () => {
    it.each([
      ['calico-node', 'status'],
      ['calico-node', 'doctor'],
      ['calico-node', 'renew'],
      ['calico-kube-controllers', 'status'],
      ['calico-kube-controllers', 'doctor'],
      ['calico-kube-controllers', 'renew'],
    ])('kubectl exec in %s: %s ends with 0, without a shell', async (workload, command) => {
      const pod = await readyPod(cluster(), workload, workload === 'calico-node' ? 'node1' : undefined)
      const program = ['node', '/app/main.js', command]
      const { code, stdout, stderr } = await cluster().kubectl.try(
        'exec',
        pod.metadata.name,
        '-c',
        agentName,
        '--',
        ...program,
      )
      expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' })
      expect(stdout).toContain('calico-')
    })

    it('provision watch, as a Deployment, makes the users of a node that comes and takes those of one that goes', async () => {
      const { etcd, kubectl } = cluster()
      const auth = etcdAuth(await etcd.client('root'))
      // Once and by hand, as install.md says.
      await auth.addUser('calico-provisioner')
      await auth.grantRole('calico-provisioner', 'root')
      await apply(cluster(), { ...deployment, components: ['provision-watch'], patches: [JSON.stringify(shortGrace)] })
      await until(
        'the provisioner',
        async () => {
          const { stdout } = await kubectl.try(
            'get',
            'deployment',
            'calico-provisioner',
            '-o',
            'jsonpath={.status.readyReplicas}',
          )
          return stdout === '1'
        },
        120_000,
      )
      await kubectl.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node3' } }))
      const users = ['calico-node:node3', 'calico-cni:node3']
      await until('the users of node3', async () => {
        const all = await auth.users()
        return users.every((user) => all.includes(user))
      })
      await kubectl.run('delete', 'node', 'node3')
      await until('the end of the users of node3', async () => {
        const all = await auth.users()
        return !users.some((user) => all.includes(user)) && all.includes('calico-node:node1')
      })
    })
  })
}

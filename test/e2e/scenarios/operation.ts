/** What an operator does, by the commands of the documents: asks agents in an image without a shell, and has etcd's users follow the nodes. */
import { describe, expect, it } from 'vitest'
import { commandsOf, shellBlock } from '../../support/documents.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { runAsWritten } from '../as-written.ts'
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
    const good = async (commands: string, here?: Readonly<Record<string, string>>): Promise<string> => {
      const { code, stdout, stderr } = await runAsWritten(cluster(), commands, here)
      expect({ commands, code, output: code === 0 ? '' : stdout + stderr }).toEqual({ commands, code: 0, output: '' })
      return stdout
    }
    const workloads = ['calico-node', 'calico-kube-controllers'] as const
    const podOf = async (workload: (typeof workloads)[number]): Promise<string> =>
      (await readyPod(cluster(), workload, workload === 'calico-node' ? 'node1' : undefined)).metadata.name

    it.each(workloads)('doctor.md, without a shell, in %s', async (workload) => {
      const commands = shellBlock('docs/doctor.md', 'main.js doctor')
      expect(await good(commands, { POD: await podOf(workload) })).toContain('calico-')
    })

    it.each(workloads)('status and renew, without a shell, in %s', async (workload) => {
      const [doctor = ''] = commandsOf(shellBlock('docs/doctor.md', 'main.js doctor'))
      for (const command of ['status', 'renew']) {
        const commands = doctor.replace(/doctor$/, command)
        expect(await good(commands, { POD: await podOf(workload) })).toContain('calico-')
      }
    })

    it('runbook.md, where to look', async () => {
      const here = { POD: await podOf('calico-node') }
      const [logs = '', readyz = '', metrics = '', ...inPod] = commandsOf(shellBlock('docs/runbook.md', '/readyz'))
      expect(await good(logs, here)).toContain('"event":"published"')
      const { targets } = JSON.parse(await good(readyz, here)) as { targets: { component: string }[] }
      expect(targets.map(({ component }) => component)).toEqual(['calico-node', 'calico-cni'])
      expect(await good(metrics, here)).toContain('calico_vault_agent_certificate_runway_seconds{')
      expect(inPod).toHaveLength(2)
      // An agent that was asked to renew a moment ago says so for ten seconds.
      for (const command of inPod)
        expect(await until(command, async () => await good(command, here), 20_000)).toContain('calico-')
    })

    it('install.md, 5., 6. and "Roll back": the rollout is over, and the agent says what is valid', async () => {
      const install = (part: string): string[] => commandsOf(shellBlock('docs/install.md', part))
      for (const part of ['kubectl diff', 'kubectl apply -f calico-etcd.yaml'])
        expect(await good(install(part).at(-1) ?? '')).toContain('successfully rolled out')
      const [logs = '', readyz = '', ...more] = install('/readyz')
      expect(more).toEqual([])
      expect(await good(logs)).toContain('"event":"published"')
      const answer = await good(readyz, { NODE: cluster().nodes[0]?.address ?? '' })
      expect(JSON.parse(answer)).toMatchObject({ ok: true })
    })

    it('upgrade.md, 3.: the rollout is over, and nothing was denied', async () => {
      const [rollout = '', ...denials] = commandsOf(shellBlock('docs/upgrade.md', '--since=10m'))
      expect(await good(rollout)).toContain('successfully rolled out')
      expect(denials).toHaveLength(2)
      for (const commands of denials) {
        // grep, which finds nothing.
        const { code, stdout, stderr } = await runAsWritten(cluster(), commands)
        expect({ code, stdout, stderr: stderr.replace(/^(Found \d+ pods|Defaulted container).*\n/gm, '') }).toEqual({
          code: 1,
          stdout: '',
          stderr: '',
        })
      }
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

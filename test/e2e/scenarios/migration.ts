/** docs/migration.md, step by step there and back, under clients that never lose etcd. */
import { beforeAll, describe, expect, it } from 'vitest'
import { plainCalico } from '../../manifests/calico.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { historyOf, watchReads } from '../agents.ts'
import type { Cluster } from '../cluster.ts'
import { deploy, rolledOut } from '../deploy.ts'
import { until } from '../wait.ts'

const oldUser = 'calico-static'

export function describeMigration(cluster: () => Cluster): void {
  describe('the migration from a static Secret', () => {
    let calico = ''

    beforeAll(async () => {
      const { etcd } = cluster()
      const auth = etcdAuth(await etcd.client('root'))
      await auth.addRole(oldUser)
      await auth.grantPrefix(oldUser, 'readwrite', '/calico/')
      await auth.addUser(oldUser)
      await auth.grantRole(oldUser, oldUser)
      const { ca, cert, key } = await etcd.client(oldUser)
      calico = plainCalico(etcd.endpoint, { 'etcd-ca': ca, 'etcd-cert': cert, 'etcd-key': key })
    })

    const steps: Readonly<Record<string, () => Promise<void>>> = {
      'Calico as it is': async () => {
        await cluster().kubectl.apply(calico)
        await rolledOut(cluster())
      },
      'migration-1-beside': async () => await deploy(cluster(), { overlay: 'migration-1-beside', calico }),
      'migration-2-switch': async () => await deploy(cluster(), { overlay: 'migration-2-switch', calico }),
      'native-sidecar': async () => await deploy(cluster(), { overlay: 'native-sidecar', calico }),
    }
    const there = ['Calico as it is', 'migration-1-beside', 'migration-2-switch', 'native-sidecar']
    const back = ['migration-2-switch', 'migration-1-beside', 'Calico as it is']
    it.each([...there, ...back])('%s', async (step) => {
      const reads = watchReads(cluster())
      await steps[step]?.()
      const isSwitched = step === 'migration-2-switch' || step === 'native-sidecar'
      for (const node of cluster().nodes) {
        const expected = isSwitched ? `calico-node:${node.name}` : oldUser
        await until(`reads of ${node.name} as ${expected}`, async () => {
          const last = historyOf(node).findLast(({ event }) => event === 'reads')
          return last?.['commonName'] === expected
        })
      }
      expect(reads.failed()).toEqual([])
    })
  })
}

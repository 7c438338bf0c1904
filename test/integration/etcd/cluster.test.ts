/** Three members: a leader that goes away in the middle, a member that is down, a quorum that is lost, an etcd that hangs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { desiredState } from '../../../agent/operator/etcd/desired.ts'
import { builtInProfiles } from '../../../agent/operator/etcd/profile-table.ts'
import { examine, reconcile } from '../../../agent/operator/etcd/reconcile.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { killLeader } from '../../support/etcd-leader.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { clientOf, etcdVersions, startMembers, titleOf } from './rig.ts'

const desiredFor = (nodes: readonly string[]) =>
  desiredState({
    profiles: builtInProfiles,
    components: ['calico-node', 'calico-cni'],
    naming: 'node',
    nodes,
    versions: [],
    strict: false,
  })
const named = (prefix: string) => Array.from({ length: 10 }, (_, index) => `${prefix}${index}`)
const now = () => performance.now()

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    let members: RealEtcd[]
    let api: ReturnType<typeof clientOf>

    beforeAll(async () => {
      members = await startMembers(version, 3)
      const root = await first(members).client('root')
      await etcdAuth(root).enable()
      // Each member has its own CA for its server; the client trusts all of them.
      const ca = members.map(({ caPem }) => caPem).join('')
      api = clientOf({ ...root, ca }, { endpoints: members.map(({ endpoint }) => endpoint), patienceMs: 20_000 })
    }, 60_000)
    afterAll(async () => {
      api?.close()
      await Promise.all((members ?? []).map((member) => member.stop()))
    })

    it('a change of the leader in the middle', async () => {
      const desired = desiredFor(named('leader'))
      let changes = 0
      let killed: Promise<RealEtcd> | undefined
      const changed = () => {
        changes++
        if (changes === 60) killed = killLeader(members)
      }
      const outcome = await reconcile(api, desired, { prune: true, changed, now })
      const leader = await killed
      expect(leader).toBeDefined()
      expect(outcome.changes).toBeGreaterThan(100)
      // Still one member down.
      expect((await examine(api, desired, { prune: true, now, fresh: true })).plan.phases).toEqual([])
      await leader?.restart()
    }, 60_000)

    it('a quorum lost in the middle: it says so, and goes on when it is back', async () => {
      const desired = desiredFor(named('quorum'))
      const impatient = clientOf(
        { ...(await first(members).client('root')), ca: members.map(({ caPem }) => caPem).join('') },
        { endpoints: members.map(({ endpoint }) => endpoint), patienceMs: 1500, deadlineMs: 1500 },
      )
      const lost = members.slice(1)
      let changes = 0
      let killed: Promise<unknown> | undefined
      const changed = () => {
        changes++
        if (changes === 40) killed = Promise.all(lost.map((member) => member.kill()))
      }
      const failure: unknown = await reconcile(impatient, desired, { prune: false, changed, now }).catch(
        (error: unknown) => error,
      )
      await killed
      impatient.close()
      expect(['etcd-timeout', 'etcd-no-leader', 'etcd-unreachable']).toContain((failure as { code?: string }).code)
      await Promise.all(lost.map((member) => member.restart()))
      await reconcile(api, desired, { prune: false, changed: () => {}, now })
      expect((await examine(api, desired, { prune: false, now, fresh: true })).plan.phases).toEqual([])
    }, 90_000)
  })
}

function first<Item>(items: readonly Item[]): Item {
  const [item] = items
  if (item === undefined) throw new Error('nothing there')
  return item
}

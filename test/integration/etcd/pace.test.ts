/** Whether anybody else writes, as real etcd tells it; the clock is the test's own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPace, unusedUpTo, windowMs } from '../../../agent/operator/etcd/pace.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { clientOf, etcdVersions, startMembers, titleOf } from './rig.ts'

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`the pace on ${titleOf(version)}`, () => {
    let etcd: RealEtcd
    let api: ReturnType<typeof clientOf>

    beforeAll(async () => {
      ;[etcd] = (await startMembers(version)) as [RealEtcd]
      const root = await etcd.client('root')
      await etcdAuth(root).enable()
      api = clientOf(root)
    })
    afterAll(async () => {
      api?.close()
      await etcd?.stop()
    })

    /** So many users, each of which keeps etcd busy for 100 ms of the clock; `beside`: what somebody else does meanwhile. */
    async function makeUsers(prefix: string, count: number, beside: () => Promise<unknown>) {
      let [clock, running, most] = [0, 0, 0]
      const sleep = async (ms: number): Promise<void> => {
        clock += ms
        await beside()
      }
      await beside()
      const pace = createPace({ share: 0.01, now: () => clock, sleep })
      const one = async (index: number): Promise<void> => {
        most = Math.max(most, ++running)
        await api.addUser(`${prefix}${index}`)
        await beside()
        clock += 100
        running--
      }
      await Promise.all(Array.from({ length: count }, (_, index) => pace.change(api, () => one(index))))
      return { tookMs: clock, most }
    }

    it('is full speed at once where hardly anything was ever written', async () => {
      const { tookMs, most } = await makeUsers('first', 20, async () => {})
      expect(most).toBe(16)
      expect(tookMs).toBe(20 * 100)
    })

    it('is one at a time and rests beside somebody who writes', async () => {
      const { tookMs, most } = await makeUsers('busy', 20, async () => {
        for (let write = 0; write <= unusedUpTo; write++) await api.put('/somebody', String(write))
      })
      expect(most).toBe(1)
      // Six of them are a minute's hundredth.
      expect(tookMs).toBeGreaterThan(3 * windowMs)
      expect((await api.users()).filter((user) => user.startsWith('busy'))).toHaveLength(20)
    })

    it('is full speed beside nobody', async () => {
      const { tookMs, most } = await makeUsers('quiet', 100, async () => {})
      expect(most).toBeGreaterThan(1)
      expect(tookMs).toBeLessThan(windowMs)
    })
  })
}

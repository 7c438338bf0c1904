/** Whether anybody else writes, as real etcd tells it; the clock is the test's own. */
import { describe, expect, it } from 'vitest'
import { createPace, unusedUpTo, windowMs } from '../../../agent/operator/etcd/pace.ts'
import { givenAuthEtcd } from './given.ts'
import { etcdVersions, titleOf } from './rig.ts'

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`the pace on ${titleOf(version)}`, () => {
    const given = givenAuthEtcd(version)

    /** So many users, each of which keeps etcd busy for 100 ms of the clock; `beside`: what somebody else does meanwhile. */
    async function makeUsers(prefix: string, count: number, beside: () => Promise<unknown>) {
      let [clock, running, most] = [0, 0, 0]
      const sleep = async (ms: number): Promise<void> => {
        clock += ms
        await beside()
      }
      const pace = createPace({ share: 0.01, now: () => clock, sleep, waits: () => {} })
      const one = async (index: number): Promise<void> => {
        most = Math.max(most, ++running)
        await given.api.addUser(`${prefix}${index}`)
        await beside()
        clock += 100
        running--
      }
      await Promise.all(Array.from({ length: count }, (_, index) => pace.change(given.api, () => one(index))))
      return { tookMs: clock, most }
    }

    it('is full speed at once where hardly anything was ever written', async () => {
      const { tookMs, most } = await makeUsers('first', 20, async () => {})
      expect(most).toBeGreaterThan(1)
      expect(tookMs).toBe(20 * 100)
    })

    it('is one at a time and rests beside somebody who writes', async () => {
      const somebody = async (writes: number | bigint): Promise<void> => {
        for (let write = 0; write < writes; write++) await given.api.put('/somebody', String(write))
      }
      await somebody(unusedUpTo)
      const { tookMs, most } = await makeUsers('busy', 20, () => somebody(10))
      expect(most).toBe(1)
      // As many as a node needs go at once. They take a second, and so the next ones wait for a hundred.
      expect(tookMs).toBeGreaterThan(100 * 1000)
      expect((await given.api.users()).filter((user) => user.startsWith('busy'))).toHaveLength(20)
    })

    it('is full speed beside nobody', async () => {
      const { tookMs, most } = await makeUsers('quiet', 100, async () => {})
      expect(most).toBeGreaterThan(1)
      expect(tookMs).toBeLessThan(windowMs)
    })
  })
}

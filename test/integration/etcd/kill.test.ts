/** kill -9 at every single call of an apply on real etcd, before and after etcd did it: the next apply completes it. */
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type DesiredState, desiredState } from '../../../agent/operator/etcd/desired.ts'
import { createPace } from '../../../agent/operator/etcd/pace.ts'
import { builtInProfiles } from '../../../agent/operator/etcd/profile-table.ts'
import { examine, reconcile } from '../../../agent/operator/etcd/reconcile.ts'
import { killedAtCall } from '../../support/etcd-model.ts'
import { givenAuthEtcd } from './given.ts'
import { etcdVersions, operatorFiles, titleOf } from './rig.ts'

const desired = desiredState({
  profiles: builtInProfiles,
  components: ['calico-cni'],
  naming: 'node',
  nodes: ['node1', 'node2'],
  versions: [],
  strict: false,
})
const nothing: DesiredState = { roles: new Map(), users: new Map(), warnings: [] }
const now = (): number => performance.now()
/** A pace of its own for each run, as each process has one: its calls can be the last ones too. */
const options = () => ({
  prune: true,
  changed: () => {},
  now,
  most: 4,
  pace: createPace({ share: 0.5, now, sleep: delay, waits: () => {} }),
})

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    const given = givenAuthEtcd(version)

    it.each(['before', 'after'] as const)(
      'at every call, %s it got through',
      async (moment) => {
        for (let call = 1; ; call++) {
          const killed = killedAtCall(given.api, call, moment === 'after')
          const end = await reconcile(killed, desired, options()).then(
            () => 'done',
            (error: Error) => error.message,
          )
          if (end === 'done') {
            if (call <= 20) throw new Error(`an apply with two nodes has more than ${call} calls`)
            break
          }
          expect(end).toBe('killed')
          await reconcile(given.api, desired, options())
          expect((await examine(given.api, desired, { ...options(), fresh: true })).plan.phases).toEqual([])
          await reconcile(given.api, nothing, options())
          expect({ call, users: await given.api.users(), roles: await given.api.roles() }).toEqual({
            call,
            users: ['root'],
            roles: ['root'],
          })
        }
      },
      120_000,
    )

    it('the process itself, at some of its lines', async () => {
      const operator = operatorFiles(await given.etcd.client('root'))
      const args = [
        'apply',
        '--yes',
        '--prune',
        '--naming',
        'node',
        '--nodes',
        'a,b,c,d,e,f',
        '--components',
        'calico-node',
      ]
      try {
        for (const line of ['add the role', 'grant readwrite', 'add the user', 'give the role']) {
          expect((await operator.provision(args, { killAt: `: ${line}` })).code).toBeNull()
        }
        expect((await operator.provision(args)).code).toBe(0)
        expect((await operator.provision(['plan', '--detailed-exitcode', ...args.slice(2)])).code).toBe(0)
      } finally {
        operator.remove()
      }
    })
  })
}

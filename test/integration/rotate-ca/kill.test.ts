/** kill -9 at every single call of a rotation, before and after Vault did it, and two at once: whoever comes next completes it. */
import { expect, it } from 'vitest'
import { systemClock } from '../../../agent/core/clock.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { makeStep } from '../../../agent/operator/ca-rotation/apply.ts'
import { planRotation } from '../../../agent/operator/ca-rotation/plan.ts'
import type { Intent, Rotation } from '../../../agent/operator/ca-rotation/state.ts'
import { type RotationVault, readVaultState } from '../../../agent/operator/ca-rotation/vault-state.ts'
import { describeEachVault, type Lab } from '../agent/lab.ts'
import { addMount, issuersOf, openAdmin, promptFleet } from './rig.ts'

const intent: Intent = {
  issuer: 'second',
  make: { commonName: 'CA second', ttlSeconds: 8760 * 3600, keyType: 'ec-p256' },
  retire: ['first'],
  etcdTrustsNew: true,
}
/** Everything back. */
const back: Intent = { ...intent, issuer: 'first', retire: ['second'], make: undefined }

/** From step to step, as the command goes. */
async function rotate(api: RotationVault, lab: Lab, mount: string, wanted: Intent): Promise<string[]> {
  const made: string[] = []
  const examine = async (): Promise<Rotation> =>
    planRotation(await readVaultState(api, mount), await promptFleet(lab, mount), wanted, systemClock.now())
  for (let seen = await examine(); seen.step !== 'done'; ) {
    seen = await makeStep(api, seen, { examine, changed: (change) => made.push(change.do) })
  }
  return made
}

/** Ends at the call of this number: before it, or after Vault did it. */
function dyingAt(api: RotationVault, last: number, isAfter: boolean): RotationVault {
  let calls = 0
  const counted = async <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
    calls++
    if (calls === last && !isAfter) throw new Error('killed')
    const answer = await work()
    if (calls >= last) throw new Error('killed')
    return answer
  }
  return {
    read: async (path) => await counted(async () => await api.read(path)),
    write: async (path, body) => await counted(async () => await api.write(path, body)),
    delete: async (path) => {
      await counted(async () => {
        await api.delete(path)
      })
    },
  }
}

describeEachVault('a rotation', {}, (lab) => {
  const open = () => openAdmin(lab())

  it.each([
    ['before', false],
    ['after', true],
  ] as const)(
    'killed at every call, %s it got through',
    async (moment, isAfter) => {
      const api = open()
      try {
        const mount = `pki-${moment}`
        await addMount(lab(), mount)
        for (let call = 1; ; call++) {
          const end = await rotate(dyingAt(api, call, isAfter), lab(), mount, intent).then(
            () => 'done',
            (error: Error) => error.message,
          )
          if (end !== 'done') {
            expect(end).toBe('killed')
            // It goes on, or is taken back: in turns.
            const { names } = await issuersOf(lab(), mount)
            if (call % 2 === 0 && names.includes('first')) {
              await rotate(api, lab(), mount, back)
              expect(await issuersOf(lab(), mount)).toEqual({ names: ['first'], signs: 'first' })
            }
            await rotate(api, lab(), mount, intent)
          }
          expect(await issuersOf(lab(), mount)).toEqual({ names: ['second'], signs: 'second' })
          if (end === 'done') {
            expect(call).toBeGreaterThan(20)
            return
          }
          await rotate(api, lab(), mount, { ...intent, issuer: 'first', retire: ['second'] })
        }
      } finally {
        api.close()
      }
    },
    300_000,
  )

  it('of two at once, each change is made by one of them', async () => {
    const [one, two] = [open(), open()]
    try {
      await addMount(lab(), 'pki-two')
      const ends = await Promise.allSettled([
        rotate(one, lab(), 'pki-two', intent),
        rotate(two, lab(), 'pki-two', intent),
      ])
      // Whoever finds an issuer gone in the middle of a look says so, and is run again.
      for (const end of ends) {
        if (end.status === 'rejected') expect((end.reason as AgentError).code).toBe('rotation-contended')
      }
      await rotate(one, lab(), 'pki-two', intent)
      expect(await issuersOf(lab(), 'pki-two')).toEqual({ names: ['second'], signs: 'second' })
    } finally {
      one.close()
      two.close()
    }
  })
})

/** What real programs of Calico asked of etcd, asked again by the users that provision makes: nothing is denied that is not meant to be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { desiredState } from '../../../agent/operator/etcd/desired.ts'
import { builtInProfiles } from '../../../agent/operator/etcd/profile-table.ts'
import type { Choice } from '../../../agent/operator/etcd/profiles.ts'
import { reconcile } from '../../../agent/operator/etcd/reconcile.ts'
import { distinct, openReplay, type Replay } from '../../support/calico-replay.ts'
import {
  type Ask,
  asksOf,
  grantsFor,
  isAbout,
  isGranted,
  namings,
  numberOf,
  programs,
  titleOf,
  versions,
} from '../../support/calico-rights.ts'
import { node } from '../../support/calico-traces.ts'
import { withheld } from '../../support/calico-withheld.ts'
import { givenAuthEtcd } from './given.ts'
import { titleOf as etcdTitle, etcdVersions } from './rig.ts'

const choices: readonly Omit<Choice, 'versions'>[] = [
  ...namings.map((naming) => ({ naming, strict: false })),
  { naming: 'node', strict: true },
]

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`Calico's requests on ${etcdTitle(version)}`, () => {
    const given = givenAuthEtcd(version)
    let replay: Replay

    beforeAll(() => {
      replay = openReplay((user) => given.etcd.client(user))
    })
    afterAll(() => replay?.close())

    async function provision(choice: Choice): Promise<void> {
      const nodes = [node, 'node2']
      const desired = desiredState({ profiles: builtInProfiles, components: programs, nodes, ...choice })
      await reconcile(given.api, desired, { prune: false, now: () => performance.now(), changed: () => undefined })
    }

    /** etcd 3.4.23 lets anybody compact. */
    const isSame = ({ request }: Ask): boolean => version.program === undefined || request.operation !== 'compact'

    describe.each(versions)('of %s', (calicoVersion) => {
      const asks = programs.flatMap((program) => asksOf(program, calicoVersion))

      it.each(choices)('$naming, strict $strict: only what is withheld is denied, and it is', async (some) => {
        const choice = { ...some, versions: [numberOf(calicoVersion)] }
        await provision(choice)
        const denied = await replay.denied(asks, choice.naming)
        const expected = distinct(asks).filter(
          ({ trace, request }) => !isGranted(grantsFor(trace.program, choice), request),
        )
        expect(denied.filter(isSame).map(titleOf)).toEqual(expected.filter(isSame).map(titleOf))
        const unexplained = denied.filter((ask) => !withheld.some((entry) => isAbout(entry, ask, choice)))
        expect(unexplained.map(titleOf)).toEqual([])
      })
    })
  })
}

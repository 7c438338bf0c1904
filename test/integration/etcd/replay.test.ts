/** What real programs of Calico asked of etcd, asked again by the users that provision makes: nothing is denied that is not meant to be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { desiredState } from '../../../agent/etcd/desired.ts'
import { builtInProfiles } from '../../../agent/etcd/profile-table.ts'
import type { Choice } from '../../../agent/etcd/profiles.ts'
import { reconcile } from '../../../agent/etcd/reconcile.ts'
import { withheld } from '../../../agent/etcd/withheld.ts'
import { distinct, isDenied } from '../../support/calico-replay.ts'
import {
  asksOf,
  grantsFor,
  isAbout,
  isGranted,
  namings,
  numberOf,
  profileOf,
  programs,
  traces,
  versions,
} from '../../support/calico-rights.ts'
import { node, type Request } from '../../support/calico-traces.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type EtcdCalls, openEtcdCalls } from '../../support/etcd-grpc.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { clientOf, etcdVersions, startMembers, titleOf } from './rig.ts'

const shown = ({ operation, recorded }: Request): string => `${operation} ${recorded}`

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`Calico's requests on ${titleOf(version)}`, () => {
    let etcd: RealEtcd
    let api: ReturnType<typeof clientOf>
    const connections = new Map<string, EtcdCalls>()

    beforeAll(async () => {
      ;[etcd] = (await startMembers(version)) as [RealEtcd]
      const root = await etcd.client('root')
      await etcdAuth(root).enable()
      api = clientOf(root)
    }, 60_000)
    afterAll(async () => {
      for (const calls of connections.values()) calls.close()
      api?.close()
      await etcd?.stop()
    })

    async function provision(choice: Choice): Promise<void> {
      const nodes = [node, 'node2']
      const desired = desiredState({ profiles: builtInProfiles, components: programs, nodes, ...choice })
      await reconcile(api, desired, { prune: false, now: () => performance.now(), changed: () => undefined })
    }

    async function callsOf(program: string, { naming }: Choice): Promise<EtcdCalls> {
      const user = naming === 'node' && profileOf(program).scope === 'node' ? `${program}:${node}` : program
      const open = connections.get(user) ?? openEtcdCalls(await etcd.client(user))
      connections.set(user, open)
      return open
    }

    /** What etcd denied, of what all programs asked in one version. */
    async function denied(calicoVersion: string, choice: Choice): Promise<Map<string, Request[]>> {
      const all = await Promise.all(
        programs.map(async (program) => {
          const calls = await callsOf(program, choice)
          const requests = distinct(asksOf(program, calicoVersion).map(({ request }) => request))
          const answers = await Promise.all(requests.map((request) => isDenied(calls, request)))
          return [program, requests.filter((_, index) => answers[index] === true)] as const
        }),
      )
      return new Map(all)
    }

    const choices: readonly Omit<Choice, 'versions'>[] = [
      ...namings.map((naming) => ({ naming, strict: false })),
      { naming: 'node', strict: true },
    ]

    it.each(versions)(
      '%s: only what is withheld is denied, and it is denied',
      async (calicoVersion) => {
        for (const some of choices) {
          const choice = { ...some, versions: [numberOf(calicoVersion)] }
          await provision(choice)
          for (const [program, requests] of await denied(calicoVersion, choice)) {
            const grants = grantsFor(program, choice)
            const expected = distinct(asksOf(program, calicoVersion).map(({ request }) => request)).filter(
              (request) => !isGranted(grants, request),
            )
            // etcd 3.4.23 lets anybody compact.
            const mayDiffer = (request: Request): boolean =>
              version.program !== undefined && request.operation === 'compact'
            expect({ program, ...some, denied: requests.filter((each) => !mayDiffer(each)).map(shown) }).toEqual({
              program,
              ...some,
              denied: expected.filter((each) => !mayDiffer(each)).map(shown),
            })
            for (const request of requests) {
              const asking = traces.filter((trace) => trace.version === calicoVersion && trace.program === program)
              const reason = withheld.find((entry) =>
                asking.some((trace) => trace.requests.includes(request) && isAbout(entry, { trace, request }, choice)),
              )
              expect([program, shown(request), reason?.because]).not.toEqual([program, shown(request), undefined])
            }
          }
        }
      },
      120_000,
    )
  })
}

/**
 * Proves docs/ca-rotation.md on a real etcd, step by step, where one CA signs etcd's server certificate as well: clients that
 * read the files for every connection never fail; one that loaded its CA set before the overlap fails with the switch of the
 * server, as the metric has said; and one that was restarted in time does not.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { etcdPut } from '../../support/etcd-grpc.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { serverCa, startEtcdOfPki } from './etcd-of-pki.ts'
import { identityIn, startReader } from './etcd-reader.ts'
import { describeEachVault } from './lab.ts'
import { readPublished } from './published.ts'
import { lookAtIssuers, type RotatingNode, renew, startClients, startRotatingNode } from './rotating-node.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const nodes = ['node1', 'node2'] as const

/** When the last certificate that chains to the CA ends, by each node's metric; undefined where the CA is not in the set. */
async function neededUntil({ agent }: RotatingNode, subject: string): Promise<number | undefined> {
  const told = agent.events.findLast((event) => event.type === 'published')
  const found = told?.certificate.ca.certificates.find((each) => each.subject === subject)
  if (found === undefined) return undefined
  const labels = `component="calico-node",fingerprint="${found.fingerprint}",subject="${subject}"`
  return await agent.metric(`ca_in_use_until_timestamp_seconds{${labels}}`)
}

describeEachVault(`CA rotation with a real etcd${leftOut}`, {}, (lab) => {
  describe.skipIf('missing' in program)('as documented', () => {
    let etcd: RealEtcd | undefined
    afterAll(() => etcd?.stop())

    it('costs no handshake of clients that reload, and tells those that must restart', async () => {
      const { api, setup } = lab()
      const member = await startEtcdOfPki(lab(), nodes)
      etcd = member

      const [one, two] = await Promise.all([startRotatingNode(lab(), 'node1'), startRotatingNode(lab(), 'node2')])
      const fleet = [one, two]
      await etcdPut(identityIn(one.directory, member), '/calico/key', 'value')
      const caAtStart = readPublished(one.directory).ca
      const restarted = startReader(one.directory, member, caAtStart)
      const { reloading, someReads, everybody, restartEtcd } = startClients(fleet, member)
      const untilOf = async (subject: string): Promise<(number | undefined)[]> =>
        await Promise.all(fleet.map(async (node) => await neededUntil(node, subject)))

      // 1. A new issuer, which signs nothing yet: it reaches every node.
      const second = { common_name: 'second', issuer_name: 'second', key_type: 'ec', ttl: '8760h' }
      const { body } = await api.root('POST', 'pki/root/rotate/internal', second)
      expect(await untilOf('second')).toEqual([undefined, undefined])
      await everybody(lookAtIssuers)
      expect(await untilOf('second')).toEqual([0, 0])
      expect(await one.agent.metric('ca_changed_since_start{component="calico-node"}')).toBe(1)

      // 2. etcd trusts both; consumers that started before the overlap are restarted.
      await restarted.stop()
      await restartEtcd({ clientCaPem: `${setup.rootPem}\n${readText(body.data, 'certificate')}\n` })
      const inTime = startReader(one.directory, member, readPublished(one.directory).ca)
      const tooLate = startReader(one.directory, member, caAtStart)
      await Promise.all([inTime.reads(3), tooLate.reads(3)])
      await Promise.all([inTime.pause(), tooLate.pause()])

      // 3. The switch: clients first, at their own pace; then etcd's servers.
      await api.root('POST', 'pki/config/issuers', { default: 'second' })
      await renew(one)
      await someReads()
      expect(fleet.map(({ directory }) => readPublished(directory).leaf.issuer)).toEqual([
        'CN=second',
        'CN=Calico etcd clients',
      ])
      await everybody(renew)
      await restartEtcd({ serverCa: serverCa(lab(), `${readText(body.data, 'certificate')}\n`) })
      for (const reader of [inTime, tooLate]) reader.resume()
      await Promise.all([inTime.reads(3), tooLate.reads(3)])

      // 4. The old issuer is needed until its last certificate has ended, and is retired then.
      const oldName = 'Calico etcd clients'
      // node1 has renewed twice since the switch; node2's certificate before this one may still be in use.
      const [untilOne, untilTwo] = await untilOf(oldName)
      expect(untilOne).toBe(0)
      expect(untilTwo).toBeGreaterThan(two.clock.now() / 1000)
      await everybody(renew)
      expect(await untilOf(oldName)).toEqual([0, 0])
      await api.root('DELETE', `pki/issuer/${setup.rootIssuerId}`)
      await everybody(lookAtIssuers)
      expect(fleet.map(({ directory }) => readPublished(directory).caNames)).toEqual([['second'], ['second']])
      await restartEtcd({ clientCaPem: `${readText(body.data, 'certificate')}\n` })

      for (const { failures, serials } of await Promise.all(reloading.map(async ({ stop }) => await stop()))) {
        expect(failures).toEqual([])
        expect(serials).toBeGreaterThan(2)
      }
      for (const node of fleet) {
        const failed = node.agent.events.filter(({ type }) => type === 'renewal-failed' || type === 'ca-refresh-failed')
        expect(failed).toEqual([])
      }
      // etcd was down between the last reads of these and their end: only why they fail counts.
      const codes = async (reader: typeof inTime): Promise<unknown[]> => {
        const { failures } = await reader.stop()
        return [...new Set(failures.map((failure) => (failure as { code: unknown }).code))].filter(
          (code) => code !== 'unreachable',
        )
      }
      expect(await codes(inTime)).toEqual([])
      expect(await codes(tooLate)).toEqual(['tls'])
    })
  })
})

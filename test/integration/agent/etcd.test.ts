/**
 * Proves the purpose of it all on a real etcd: the published files are the user with its role and no more, and a client that
 * reads them for every connection is never refused, over rotations and over the change of the CA.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { startAgent } from '../../support/agent-in-process.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { etcdGet, etcdPut } from '../../support/etcd-grpc.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { identityIn, startReader } from './etcd-reader.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { readPublished } from './published.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''

describeEachVault(`real etcd${leftOut}`, {}, (lab) => {
  describe.skipIf('missing' in program)('with the published files', () => {
    let etcd: RealEtcd
    beforeAll(async () => {
      etcd = await startRealEtcd({ clientCaPem: `${lab().setup.rootPem}\n` })
      const auth = etcdAuth(await etcd.client('root'))
      await auth.addRole('calico-node')
      await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
      for (const user of ['calico-node:node1', 'calico-cni:node1']) await auth.addUser(user)
      await auth.grantRole('calico-node:node1', 'calico-node')
      await auth.enable()
    })
    afterAll(() => etcd?.stop())

    it('the user has the keys of its role and no others', async () => {
      const { environment, directory } = createTestNode(lab(), { env: { AGENT_ETCD_CA_FILE: etcd.caFile } })
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      const identity = identityIn(directory, etcd)
      expect(await etcdPut(identity, '/calico/key', 'value')).toEqual({ ok: true })
      expect(await etcdGet(identity, '/calico/key')).toEqual({ ok: true, value: 'value' })
      expect(await etcdGet(identity, '/registry/secrets')).toMatchObject({ ok: false, code: 7 })
      expect(await etcdPut(identity, '/registry/secrets', 'x')).toMatchObject({ ok: false, code: 7 })
    })

    it.each([
      ['of a user without a role', 'node1', 'calico-cni'],
      ['that is no user', 'node2', 'calico-node'],
    ])('a certificate %s is denied', async (_, node, component) => {
      const { environment, directory } = createTestNode(lab(), {
        node,
        env: { AGENT_ETCD_CA_FILE: etcd.caFile, AGENT_COMPONENT: component, AGENT_AUTH_ROLE: 'calico-node' },
      })
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      expect(readPublished(directory).commonName).toBe(`${component}:${node}`)
      expect(await etcdGet(identityIn(directory, etcd), '/calico/key')).toMatchObject({ ok: false, code: 7 })
    })

    it('a client that reconnects all the time is never refused, over rotations and a new CA', async () => {
      const { environment, directory } = createTestNode(lab(), { env: { AGENT_ETCD_CA_FILE: etcd.caFile } })
      const agent = await startAgent(environment)
      await agent.nextEvent('published')
      await etcdPut(identityIn(directory, etcd), '/calico/key', 'value')
      const reader = startReader(directory, etcd)
      const renew = async (): Promise<void> => {
        agent.renewNow()
        await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
        await reader.reads(3)
      }
      for (let round = 0; round < 4; round++) await renew()

      // The new issuer reaches etcd-ca before it signs; etcd is told of it, then it becomes the default.
      const { api, setup } = lab()
      const second = { common_name: 'second', issuer_name: 'second', key_type: 'ec', ttl: '8760h' }
      const { body } = await api.root('POST', 'pki/root/rotate/internal', second)
      await renew()
      expect(readPublished(directory).caNames).toEqual(['Calico etcd clients', 'real etcd CA', 'second'])
      await reader.pause()
      await etcd.restart({ clientCaPem: `${setup.rootPem}\n${readText(body.data, 'certificate')}\n` })
      reader.resume()
      await reader.reads(3)
      await api.root('POST', 'pki/config/issuers', { default: 'second' })
      await renew()
      expect(readPublished(directory).leaf.issuer).toBe('CN=second')
      await api.root('DELETE', `pki/issuer/${setup.rootIssuerId}`)
      for (let round = 0; round < 3; round++) await renew()

      expect(readPublished(directory).caNames).toEqual(['real etcd CA', 'second'])
      const { failures, serials } = await reader.stop()
      expect(failures).toEqual([])
      expect(serials).toBeGreaterThan(7)
    })
  })
})

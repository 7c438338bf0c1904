/** Proves that a damaged CA certificate, or one with a key of an unknown algorithm, ends no agent and no renewal, wherever it stands. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { createCa } from '../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { readPublished } from './published.ts'

const etcdCa = await createCa({ commonName: 'etcd CA' })
const odd = await createCa({ commonName: 'Odd CA' })
const isPublished = ({ event }: LoggedLine): boolean => event === 'published'

describe('a CA certificate that cannot be used', () => {
  describeEachVault('on the node', {}, (lab) => {
    it.each([withDamagedKey, withUnknownAlgorithm])(
      'in AGENT_ETCD_CA_FILE is refused by name, and renewals go on: %o',
      async (damage) => {
        const node = createTestNode(lab())
        const file = join(node.root, 'etcd-ca.pem')
        writeFileSync(file, etcdCa.certificatePem)
        const agent = spawnAgent({ ...node.environment, AGENT_ETCD_CA_FILE: file })
        await agent.nextLine(isPublished)
        writeFileSync(file, etcdCa.certificatePem + damage(odd.certificatePem))
        agent.signal('SIGHUP')
        const told = await agent.nextLine(({ event }) => event === 'ca-refresh-failed')
        expect(told).toMatchObject({
          reason: 'file-invalid',
          error: expect.stringMatching(/AGENT_ETCD_CA_FILE: .*CN=Odd CA/),
        })
        await agent.nextLine(isPublished)
        expect(readPublished(node.directory).caNames.toSorted()).toEqual(['Calico etcd clients', 'etcd CA'])
        agent.signal('SIGTERM')
        expect(await agent.ended).toEqual({ code: 0, signal: null })
      },
    )

    it.each([withDamagedKey, withUnknownAlgorithm])('in etcd-ca is taken out by the next start: %o', async (damage) => {
      const node = createTestNode(lab())
      const first = spawnAgent(node.environment, { args: ['init'] })
      expect(await first.ended).toEqual({ code: 0, signal: null })
      const path = join(node.directory, 'etcd-ca')
      const whole = readFileSync(path, 'utf8')
      chmodSync(path, 0o600)
      writeFileSync(path, damage(odd.certificatePem) + whole)
      const agent = spawnAgent(node.environment)
      const told = await agent.nextLine(({ event }) => event === 'store-flaw')
      expect(told).toMatchObject({ reason: 'ca-unusable', error: expect.stringContaining('CN=Odd CA') })
      expect(await agent.nextLine(isPublished)).toMatchObject({ reason: 'ca-set-changed' })
      expect(readFileSync(path, 'utf8')).toBe(whole)
      agent.signal('SIGHUP')
      expect(await agent.nextLine(isPublished)).toMatchObject({ reason: 'renewal-requested' })
    })
  })
})

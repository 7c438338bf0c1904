/** The table of docs/adr/0006: the clock of the node × that of Vault × what stands between them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { createCa } from '../../support/certificates.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createTestNode, type Lab, startLab } from './lab.ts'
import { readPublished } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

const nodeClocks = { right: 0, 'an hour behind': -hourMs, 'two days ahead': 2 * dayMs, 'a year ahead': 365 * dayMs }
const vaultClocks = { right: 0, 'an hour behind': -hourMs, 'two days ahead': 2 * dayMs }
const boxes = {
  'writes no date': undefined,
  'is 60 s behind': -minuteMs,
  'is two days ahead': 2 * dayMs,
  'is in the year 9999': 251e12,
}

describe.each(Object.entries(vaultClocks))("Vault's clock: %s", (_vault, vaultOffMs) => {
  let lab: Omit<Lab, 'isReal'>
  beforeAll(async () => {
    lab = await startLab(await startDevVault({ now: () => Date.now() + vaultOffMs }), { ttl: '24h' })
  })
  afterAll(() => lab.stop())

  describe.each(Object.entries(nodeClocks))('of the node: %s', (_node, nodeOffMs) => {
    it.each(Object.entries(boxes))('what stands between them %s', async (_box, boxOffMs) => {
      const front = await startVaultFront(lab.vault)
      if (boxOffMs !== undefined) front.now = () => Date.now() + boxOffMs
      // Its times are those of Vault, which would refuse it otherwise.
      const token = { startsInSeconds: vaultOffMs / 1000 - 60, expiresInSeconds: vaultOffMs / 1000 + 86_400 }
      const { environment, directory, root } = createTestNode(lab, { at: front, token })
      const bootstrap = join(root, 'bootstrap')
      await writeStatic(bootstrap)
      const clock = createFakeClock(Date.now() + nodeOffMs)
      const agent = await startAgent({ ...environment, AGENT_BOOTSTRAP_DIR: bootstrap }, { clock })

      // The first certificate is good by the clock that dated it, and nothing is made twice.
      await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
      await clock.nextSleep()
      await clock.pass(5 * minuteMs)
      expect(agent.events.filter(({ type }) => type === 'issued')).toHaveLength(1)
      expect(agent.events.filter(({ type }) => type === 'renewal-failed')).toEqual([])
      const skewSeconds = (await agent.metric('clock_skew_seconds')) ?? Number.NaN
      expect(Math.abs(skewSeconds * 1000 - (vaultOffMs - nodeOffMs))).toBeLessThan(3000)

      // A proxy that has lost Vault is no evidence of anything: what works stays.
      const { leaf } = readPublished(directory)
      front.isLost = true
      agent.renewNow()
      await agent.nextEvent('renewal-failed')
      await clock.nextSleep()
      await clock.pass(5 * minuteMs)
      expect(readPublished(directory).leaf.serialNumber).toBe(leaf.serialNumber)

      front.isLost = false
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
      expect(readPublished(directory).leaf.serialNumber).not.toBe(leaf.serialNumber)
      expect(agent.events.filter(({ type }) => type === 'fallback-failed')).toEqual([])
      await agent.stop()
    })
  })
})

async function writeStatic(directory: string): Promise<void> {
  const day = { notBefore: new Date(0), notAfter: new Date('2200-01-01T00:00:00Z') }
  const ca = await createCa({ commonName: 'Static CA', ...day })
  const { certificatePem, privateKeyPem } = await ca.issue({ commonName: 'calico', ...day })
  mkdirSync(directory)
  writeFileSync(join(directory, 'etcd-ca'), ca.certificatePem)
  writeFileSync(join(directory, 'etcd-cert'), certificatePem)
  writeFileSync(join(directory, 'etcd-key'), privateKeyPem)
}

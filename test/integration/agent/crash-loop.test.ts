/** Real processes that die while Vault signs, one after the other: the budget outlives them, and so does the certificate. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createTestNode, type Lab, type NodeOptions, withLab } from './lab.ts'
import { readPublished, snapshot } from './published.ts'
import { startVaultFront, type VaultFront } from './vault-front.ts'

const isSpent = ({ event, reason }: LoggedLine): boolean => event === 'renewal-failed' && reason === 'budget-spent'
const isPublished = ({ event }: LoggedLine): boolean => event === 'published'
const signed = ({ requests }: VaultFront): number => requests.filter(({ path }) => path.startsWith('pki/sign/')).length

async function nodeBehindFront(lab: Lab, env: NodeOptions['env']) {
  const front = await startVaultFront(lab.vault)
  return { front, ...createTestNode(lab, { at: front, env: { AGENT_ISSUANCE_BUDGET: '3', ...env } }) }
}

/** Starts an agent and kills it as soon as Vault has its request; answers whether it came to that. */
async function crash(front: VaultFront, environment: Readonly<Record<string, string>>): Promise<boolean> {
  const asked = front.nextRequest('pki/sign/')
  const agent = spawnAgent(environment)
  const isAsked = await Promise.race([asked.then(() => true), agent.nextLine(isSpent).then(() => false)])
  agent.signal('SIGKILL')
  await agent.ended
  return isAsked
}

describe('a crash loop', () => {
  withLab(startDevVault, {}, (lab) => {
    it('before the first certificate: Vault signs what the budget allows, and not for every start', {
      timeout: 60_000,
    }, async () => {
      const { front, environment } = await nodeBehindFront(lab(), {})
      const asked: boolean[] = []
      for (let count = 0; count < 8; count++) asked.push(await crash(front, environment))
      expect(asked).toEqual([true, true, true, false, false, false, false, false])
      expect(signed(front)).toBe(3)
    })

    it('with a state directory that outlives the volume of the pod', { timeout: 60_000 }, async () => {
      const { front, root, environment } = await nodeBehindFront(lab(), {})
      const stateDir = join(root, 'state')
      const asked: boolean[] = []
      for (let count = 0; count < 5; count++) {
        const { directory } = createTestNode(lab())
        asked.push(await crash(front, { ...environment, AGENT_DIR: directory, AGENT_STATE_DIR: stateDir }))
        expect(readdirSync(directory)).not.toContain('..issued')
      }
      expect(asked).toEqual([true, true, true, false, false])
    })

    it('with a good certificate in place: every start uses it, a renewal waits and says why', {
      timeout: 60_000,
    }, async () => {
      const { front, directory, environment } = await nodeBehindFront(lab(), {})
      const first = spawnAgent(environment)
      await first.nextLine(isPublished)
      for (let count = 0; count < 2; count++) {
        first.signal('SIGHUP')
        await first.nextLine(isPublished)
      }
      first.signal('SIGKILL')
      await first.ended
      const before = snapshot(directory)
      const second = spawnAgent(environment)
      await second.nextLine(({ event }) => event === 'found')
      // Once it listens, SIGHUP is known to it.
      await second.ask('/readyz')
      second.signal('SIGHUP')
      expect(await second.nextLine(isSpent)).toMatchObject({
        level: 'warn',
        error: expect.stringContaining('the budget is 3') as string,
      })
      const { status, text } = await second.ask('/readyz')
      expect([status, JSON.parse(text)]).toMatchObject([200, { targets: [{ failure: { reason: 'budget-spent' } }] }])
      expect((await second.ask('/metrics')).text).toContain('issuance_budget_remaining{component="calico-node"} 0\n')
      expect(snapshot(directory)).toEqual(before)
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
      expect(signed(front)).toBe(3)
    })
  })
})

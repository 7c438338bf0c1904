/** Two real agents on one directory, as when one volume is mounted twice by mistake, or init runs beside run. */
import { describe, expect, it } from 'vitest'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createTestNode, withLab } from './lab.ts'
import { readPublished, snapshot } from './published.ts'

const isPublished = ({ event }: LoggedLine): boolean => event === 'published'
const isRefused = ({ event, reason }: LoggedLine): boolean =>
  event === 'renewal-failed' && reason === 'directory-in-use'

describe('two agents on one directory', () => {
  withLab(startDevVault, {}, (lab) => {
    it('the second refuses, says so everywhere, and takes over when the first is killed', {
      timeout: 30_000,
    }, async () => {
      const { environment, directory } = createTestNode(lab())
      const first = spawnAgent(environment)
      await first.nextLine(isPublished)
      const second = spawnAgent(environment)
      expect(await second.nextLine(isRefused)).toMatchObject({
        level: 'warn',
        error: expect.stringContaining(directory) as string,
      })
      const { status, text } = await second.ask('/readyz')
      expect([status, JSON.parse(text)]).toMatchObject([
        200,
        {
          targets: [
            {
              ready: true,
              failure: {
                reason: 'directory-in-use',
                advice: expect.stringContaining('a directory of its own') as string,
              },
            },
          ],
        },
      ])
      expect((await second.ask('/metrics')).text).toContain(
        'renewal_failures_total{component="calico-node",reason="directory-in-use"}',
      )
      const before = snapshot(directory)
      second.signal('SIGHUP')
      await second.nextLine(isRefused)
      expect(snapshot(directory)).toEqual(before)

      first.signal('SIGKILL')
      await first.ended
      second.signal('SIGHUP')
      const taken = await second.nextLine(isPublished)
      expect(taken['serialNumber']).toBe(readPublished(directory).leaf.serialNumber)
    })

    it('the first ends: the second notices at once, by the directory', async () => {
      const { environment } = createTestNode(lab())
      const first = spawnAgent(environment)
      await first.nextLine(isPublished)
      const second = spawnAgent(environment)
      await second.nextLine(isRefused)
      await second.ask('/readyz')
      first.signal('SIGTERM')
      await second.nextLine(({ event }) => event === 'recovered')
    })

    it('init beside run has nothing to wait for', async () => {
      const { environment, directory } = createTestNode(lab())
      const agent = spawnAgent(environment)
      await agent.nextLine(isPublished)
      const before = snapshot(directory)
      const init = spawnAgent(environment, { args: ['init', '--wait=5s'] })
      expect(await init.ended).toEqual({ code: 0, signal: null })
      expect(snapshot(directory)).toEqual(before)
    })
  })
})

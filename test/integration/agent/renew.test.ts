/** The command `renew` on agents that run: it does what SIGHUP does, for whoever can read the key, and says what stood in the way. */
import { chmodSync, mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { lockName } from '../../../agent/sidecar/store/directory-lock.ts'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { runCommand } from '../../support/command.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createTestNode, withLab } from './lab.ts'
import { readPublished } from './published.ts'

const isPublished = ({ event }: LoggedLine): boolean => event === 'published'

describe('renew', () => {
  withLab(startDevVault, {}, (lab) => {
    it.each([false, true])(
      'renews by the agent that runs, which needs no port for it (sources: %s)',
      async (sources) => {
        const { environment, directory } = createTestNode(lab())
        const env = { ...environment, AGENT_LISTEN: 'off' }
        const agent = spawnAgent(env, { sources })
        await agent.nextLine(isPublished)
        const before = readPublished(directory).leaf.serialNumber
        const ended = await runCommand(['renew'], { env, sources })
        expect(ended).toEqual({
          code: 0,
          stdout: `calico-node: ${directory}: renewal asked for; \`status\` shows what came of it\n`,
          stderr: '',
        })
        const renewed = await agent.nextLine(isPublished)
        expect(renewed).toMatchObject({ reason: 'renewal-requested' })
        expect(readPublished(directory).leaf.serialNumber).not.toBe(before)
      },
    )

    it('works where the name of the directory is longer than the address of a socket', async () => {
      const { environment } = createTestNode(lab())
      const directory = join(tempDir(), 'd'.repeat(120))
      mkdirSync(directory)
      const env = { ...environment, AGENT_DIR: directory }
      const agent = spawnAgent(env)
      await agent.nextLine(isPublished)
      expect(await runCommand(['renew'], { env })).toMatchObject({ code: 0, stderr: '' })
      await agent.nextLine(isPublished)
    })

    it.skipIf(process.geteuid?.() !== 0)('a user who cannot read the key cannot ask', async () => {
      const { environment, directory } = createTestNode(lab())
      const agent = spawnAgent(environment)
      await agent.nextLine(isPublished)
      chmodSync(directory, 0o755)
      const { code, stderr } = await runCommand(['renew'], { env: environment, uid: 65_534 })
      expect({ code, stderr }).toEqual({ code: 69, stderr: expect.stringContaining('EACCES') as string })
      // Nor with a request of its own making.
      const socket = connect(join(directory, lockName))
      onTestFinished(() => void socket.destroy())
      socket.write(`renew ${'0'.repeat(64)}\n`)
      expect(await text(socket)).toBe('refused\n')
      expect(agent.lines.filter(isPublished)).toHaveLength(1)
    })

    it('says that no agent runs', async () => {
      const { environment, directory } = createTestNode(lab())
      const none = await runCommand(['renew'], { env: environment })
      expect(none).toEqual({
        code: 69,
        stdout: '',
        stderr: expect.stringContaining('no agent runs for this') as string,
      })
      const agent = spawnAgent(environment)
      await agent.nextLine(isPublished)
      agent.signal('SIGKILL')
      await agent.ended
      const dead = await runCommand(['renew'], { env: environment })
      expect(dead).toMatchObject({ code: 69, stderr: expect.stringContaining(`${directory}: no agent runs`) as string })
    })

    it('connections that ask for nothing neither stop it nor pile up', async () => {
      const { environment, directory } = createTestNode(lab())
      const agent = spawnAgent(environment)
      await agent.nextLine(isPublished)
      const idle = Array.from({ length: 50 }, () => connect(join(directory, lockName)).on('error', () => {}))
      onTestFinished(() => {
        for (const socket of idle) socket.destroy()
      })
      // More than are served at a time are closed at once, the others within a second.
      await Promise.all(idle.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))))
      expect(await runCommand(['renew'], { env: environment })).toMatchObject({ code: 0 })
      await agent.nextLine(isPublished)
    })
  })
})

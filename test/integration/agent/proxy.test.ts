/** Proves that an agent gets its certificate through a real proxy that asks for a password, and that the password stays a secret. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import { systemClock } from '../../../agent/core/clock.ts'
import { openAccess } from '../../../agent/operator/doctor/access.ts'
import { vaultName, vaultState, vaultTls } from '../../../agent/operator/doctor/checks/vault.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import { type ChildServer, freePort, spawnServer } from '../../support/child-server.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createTestNode, withLab } from './lab.ts'

const isMissing = spawnSync('tinyproxy', ['-v']).error !== undefined
const password = 'CANARYpasswordCANARY'

async function startTinyproxy(): Promise<{ origin: string; log: () => string; child: ChildServer }> {
  const port = await freePort()
  const file = join(tempDir(), 'tinyproxy.conf')
  const lines: string[] = []
  writeFileSync(
    file,
    `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\nBasicAuth agent ${password}\n`,
  )
  const child = spawnServer({ name: 'tinyproxy', path: 'tinyproxy', args: ['-d', '-c', file] })
  onTestFinished(() => child.stop())
  void child.firstLine((line) => void lines.push(line), 60_000).catch(() => {})
  await child.until(() => isOpen(port), 10_000)
  return { origin: `127.0.0.1:${port}`, log: () => lines.join('\n'), child }
}

const isOpen = (port: number): Promise<true> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', reject)
  })

describe.skipIf(isMissing)(`tinyproxy${isMissing ? ' (left out: it is not installed)' : ''}`, () => {
  withLab(startDevVault, {}, (lab) => {
    it('login, issuers and signature go through it', async () => {
      const proxy = await startTinyproxy()
      const env = { VAULT_PROXY_ADDR: `http://agent:${password}@${proxy.origin}` }
      const agent = spawnAgent(createTestNode(lab(), { env }).environment)
      await agent.nextLine(({ event }) => event === 'published')
      expect(proxy.log()).toContain(`CONNECT ${lab().vault.address.replace('https://', '')}`)
      expect(agent.output() + (await agent.ask('/metrics')).text + (await agent.ask('/status')).text).not.toContain(
        'CANARY',
      )
    })

    it('doctor goes the same way', async () => {
      const proxy = await startTinyproxy()
      const env = { VAULT_PROXY_ADDR: `http://agent:${password}@${proxy.origin}` }
      const config = parseConfig(createTestNode(lab(), { env }).environment, 'host')
      const access = openAccess({ config, clock: systemClock, endpoints: [], versions: [], signs: false })
      onTestFinished(() => access.close())
      const [target] = config.targets
      if (target === undefined) throw new Error('no target')
      expect(await vaultName.run(access, target)).toMatchObject({
        status: 'ok',
        saw: `the proxy http://${proxy.origin} resolves it`,
      })
      for (const check of [vaultTls, vaultState])
        expect(await check.run(access, target)).toMatchObject({ status: 'ok' })
      expect(proxy.log().match(/CONNECT /g)?.length).toBeGreaterThanOrEqual(2)
    })

    it('a wrong password is told as the proxy says it', async () => {
      const proxy = await startTinyproxy()
      const env = { VAULT_HTTP_PROXY: `http://agent:CANARYwrong@${proxy.origin}` }
      const agent = spawnAgent(createTestNode(lab(), { env }).environment)
      const { error } = await agent.nextLine(({ reason }) => reason === 'vault-proxy')
      expect(error).toMatch(/opens no way to 127\.0\.0\.1:\d+: 40[17] /)
      expect(agent.output()).not.toContain('CANARY')
    })
  })
})

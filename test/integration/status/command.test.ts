/** Proves `status` as a process: from disk alone, and with what the running agent tells. */
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AgentProcess, spawnAgent } from '../../support/agent-process.ts'
import { createCa } from '../../support/certificates.ts'
import { freePort } from '../../support/child-server.ts'
import { type Ended, runCommand } from '../../support/command.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createTestNode, withLab } from '../agent/lab.ts'
import { readPublished } from '../agent/published.ts'

interface Shown {
  readonly version?: string
  readonly vault?: object
  readonly targets: readonly {
    readonly state: string
    readonly problem?: string
    readonly certificate?: Readonly<Record<string, unknown>>
    readonly ca: readonly Readonly<Record<string, unknown>>[]
    readonly happenings: readonly Readonly<Record<string, unknown>>[]
    readonly failure?: Readonly<Record<string, unknown>>
    readonly budget?: object
  }[]
}

const runStatus = (environment: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended> =>
  runCommand(['status', ...args], { env: environment })

async function shown(environment: Readonly<Record<string, string>>): Promise<Shown & { code: number | null }> {
  const { code, stdout } = await runStatus(environment, '--output', 'json')
  return { ...(JSON.parse(stdout) as Shown), code }
}

describe('status', () => {
  withLab(startDevVault, {}, (lab) => {
    async function onNode() {
      const node = createTestNode(lab(), { env: { AGENT_LISTEN: `127.0.0.1:${await freePort()}` } })
      return { ...node, start: () => spawnAgent(node.environment) }
    }
    const renewed = async (agent: AgentProcess, event: string): Promise<void> => {
      agent.signal('SIGHUP')
      await agent.nextLine((line) => line.event === event)
    }

    it('before the first start: nothing is there, and that is said', async () => {
      const { environment } = await onNode()
      const found = await shown(environment)
      expect(found).toMatchObject({
        code: 69,
        targets: [{ state: 'missing', problem: expect.stringContaining('no cert') as string }],
      })
      expect(found.version).toBeUndefined()
    })

    it.skipIf(process.geteuid?.() !== 0)('files that this user may not read are not missing', async () => {
      const { environment, directory, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      chmodSync(join(directory, '..'), 0o755)
      chmodSync(directory, 0o755)
      const { code, stdout } = await runCommand(['status'], { env: environment, uid: 65_534 })
      expect([code, stdout]).toEqual([
        69,
        expect.stringMatching(/^unreadable calico-node[^]*EACCES[^]*as the user of the/m),
      ])
    })

    it("etcd's own CA is there to verify etcd", async () => {
      const { environment, root } = await onNode()
      const { certificatePem } = await createCa({ commonName: 'etcd servers' })
      const file = join(root, 'etcd-ca.pem')
      writeFileSync(file, certificatePem)
      const env = { ...environment, AGENT_ETCD_CA_FILE: file }
      const agent = spawnAgent(env)
      await agent.nextLine(({ event }) => event === 'published')
      const { targets } = await shown(env)
      expect(Object.fromEntries((targets[0]?.ca ?? []).map(({ name, ...use }) => [name, use]))).toMatchObject({
        'CN=Calico etcd clients': { isInUse: true, verifiesEtcd: false },
        'CN=etcd servers': { isInUse: false, verifiesEtcd: true },
      })
      expect((await runStatus(env)).stdout).toMatch(/etcd servers.*, used to verify etcd/)
    })

    it('a directory that is not there is named', async () => {
      const { environment, root } = await onNode()
      const { code, stdout: text } = await runStatus({ ...environment, AGENT_DIR: join(root, 'nowhere') })
      expect(code).toBe(69)
      expect(text).toContain(join(root, 'nowhere'))
    })

    it('the agent runs: what has happened, and when it renews next', async () => {
      const { environment, directory, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      await agent.nextLine(({ event }) => event === 'listening')
      await renewed(agent, 'published')
      const { leaf } = readPublished(directory)
      const { code, version, vault, targets } = await shown(environment)
      const [target] = targets
      expect([code, target?.state]).toEqual([0, 'good'])
      expect(version).toMatch(/^\d/)
      expect(target?.certificate).toMatchObject({ commonName: 'calico-node:node1', serialNumber: leaf.serialNumber })
      expect(target?.happenings.map(({ reason }) => reason)).toEqual(['renewal-requested', 'never-published'])
      const told = agent.lines.findLast(({ event }) => event === 'published')
      expect(target?.certificate?.['renewAt']).toBe(told?.['renewAt'])
      expect(target?.budget).toEqual({ limit: 12, spent: 2 })
      expect(vault).toMatchObject({ answered: { operation: expect.any(String) as string } })
      const { stdout: text } = await runStatus(environment)
      expect(text).toMatch(/^good     calico-node/m)
      expect(text).toMatch(
        /^Vault answered (just now|\d+s ago), asked for (a signature|the list of issuers|an issuer)\.$/m,
      )
      for (const part of [
        'runway',
        'CA set',
        'renewal-requested',
        'budget    2 of at most 12 certificates in the last hour',
      ])
        expect(text).toContain(part)
    })

    it('the agent is gone: the same from disk', async () => {
      const { environment, directory, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      agent.signal('SIGTERM')
      await agent.ended
      const { code, version, targets } = await shown(environment)
      expect([code, version, targets[0]?.happenings]).toEqual([0, undefined, []])
      expect(targets[0]).toMatchObject({
        state: 'good',
        certificate: { serialNumber: readPublished(directory).leaf.serialNumber },
        ca: [{ name: 'CN=Calico etcd clients', isInUse: true }],
        hasAgent: false,
      })
      const { stdout } = await runStatus(environment)
      expect(stdout).toContain('good, but not renewing calico-node')
      expect(stdout).toContain('none runs for this directory')
    })

    it('Vault is sealed: the last failure with its reason and what to do', async () => {
      const { environment, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      await agent.nextLine(({ event }) => event === 'listening')
      await lab().vault.seal()
      onTestFinished(() => lab().vault.unseal())
      await renewed(agent, 'renewal-failed')
      const { targets } = await shown(environment)
      expect(targets[0]).toMatchObject({ state: 'good', failure: { reason: 'vault-sealed', advice: 'Unseal Vault.' } })
      const { code, stdout } = await runStatus(environment)
      expect([code, stdout]).toEqual([
        0,
        expect.stringMatching(
          /^Vault is sealed.* Vault was last asked .* It last answered [^]*good, but not renewing calico-node[^]*\(vault-sealed\)/m,
        ),
      ])
    })

    it('somebody else has the port: what it says is not taken for the agent', async () => {
      const { environment, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      agent.signal('SIGTERM')
      await agent.ended
      const other = createServer((_request, response) => {
        const happenings = [{ at: new Date().toISOString(), what: 'renewal-failed', reason: 'vault-sealed' }]
        response.end(
          JSON.stringify({
            version: '9',
            targets: [{ component: 'calico-node', directory: '/elsewhere', happenings }],
          }),
        )
      })
      await new Promise<void>((resolve) => {
        other.listen(0, '127.0.0.1', resolve)
      })
      onTestFinished(() => void other.close())
      const { port } = other.address() as AddressInfo
      const { version, targets } = await shown({ ...environment, AGENT_LISTEN: `127.0.0.1:${port}` })
      expect([version, targets[0]?.happenings]).toEqual([undefined, []])
    })

    it.each([
      ['SIGTERM', { code: 0, signal: null }],
      ['SIGINT', { code: null, signal: 'SIGINT' }],
    ] as const)('--watch goes on until %s', async (signal, ended) => {
      const { environment, start } = await onNode()
      const agent = start()
      await agent.nextLine(({ event }) => event === 'published')
      const watching = spawnAgent(environment, { args: ['status', '--watch', '--output', 'json'] })
      await watching.nextLine((line) => 'targets' in line)
      await watching.nextLine((line) => 'targets' in line)
      watching.signal(signal)
      expect(await watching.ended).toEqual(ended)
    })

    it('refuses what it does not know', async () => {
      const { environment } = await onNode()
      const { code, stderr: text } = await runStatus(environment, '--output', 'xml')
      expect([code, text]).toEqual([64, expect.stringContaining('Allowed choices are text, json')])
    })
  })
})

/** Proves what a service manager sees of the process: signals, the end within a second, exit codes, and no contact without need. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { freePort } from '../../support/child-server.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createTestNode, describeEachVault } from './lab.ts'
import { entriesOf, project, readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

const isPublished = ({ event }: LoggedLine): boolean => event === 'published'
const ok = { code: 0, signal: null }

/** Resolves to the end of the process; fails where that takes longer than a second. */
const withinASecond = async <T>(end: Promise<T>): Promise<T> =>
  await Promise.race([
    end,
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('still running after a second')), 1000).unref()
    }),
  ])

describeEachVault('the process', {}, (lab) => {
  it('SIGHUP renews now, SIGTERM ends it', async () => {
    const { environment, directory } = createTestNode(lab())
    const agent = spawnAgent(environment)
    const first = await agent.nextLine(isPublished)
    expect(first).toMatchObject({ level: 'info', component: 'calico-node', reason: 'never-published' })
    agent.signal('SIGHUP')
    const second = await agent.nextLine(isPublished)
    expect(second).toMatchObject({ reason: 'renewal-requested' })
    expect(second['serialNumber']).toBe(readPublished(directory).leaf.serialNumber)
    expect(second['serialNumber']).not.toBe(first['serialNumber'])
    agent.signal('SIGTERM')
    expect(await withinASecond(agent.ended)).toEqual(ok)
    expect(agent.lines.at(-1)).toMatchObject({ event: 'stopped', signal: 'SIGTERM' })
    expect(agent.stderr()).toBe('')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends it within a second while Vault is silent', async (signal) => {
    const front = await startVaultFront(lab().vault)
    front.isSilent = true
    const { environment, directory } = createTestNode(lab(), { at: front })
    const asked = front.nextRequest('pki/issuers')
    const agent = spawnAgent(environment)
    await asked
    await agent.nextLine(({ event }) => event === 'listening')
    agent.signal(signal)
    expect(await withinASecond(agent.ended)).toEqual(ok)
    expect(entriesOf(directory)).toEqual([])
    expect(agent.stderr()).toBe('')
  })

  it('init obtains what is missing and ends with 0; a second one asks Vault for nothing', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, directory } = createTestNode(lab(), { at: front })
    const first = spawnAgent(environment, { args: ['init'] })
    expect(await first.ended).toEqual(ok)
    const before = snapshot(directory)
    expect(readPublished(directory).commonName).toBe('calico-node:node1')
    const { connections } = front
    const second = spawnAgent(environment, { args: ['init'] })
    expect(await second.ended).toEqual(ok)
    expect(front.connections).toBe(connections)
    expect(snapshot(directory)).toEqual(before)
    // The resident agent takes over what the init container has left.
    const resident = spawnAgent(environment)
    await resident.nextLine(({ event }) => event === 'found')
    await resident.ask('/readyz')
    expect(front.connections).toBe(connections)
  })

  it('a token file that appears by a swap of the kubelet ends the waiting', async () => {
    const { environment, root } = createTestNode(lab())
    const volume = join(root, 'volume')
    mkdirSync(volume)
    const agent = spawnAgent({ ...environment, AGENT_AUTH_TOKEN_FILE: join(volume, 'token') })
    const timeOf = (line: LoggedLine, field: string): number => Date.parse(String(line[field]))
    const kept = await agent.nextLine((line) => timeOf(line, 'retryAt') - timeOf(line, 'time') > 3000)
    expect(kept).toMatchObject({ event: 'renewal-failed', reason: 'credential-missing' })
    project(volume, 'token', lab().accounts.token())
    expect(timeOf(await agent.nextLine(isPublished), 'time')).toBeLessThan(timeOf(kept, 'retryAt'))
  })

  it('SIGTERM ends init, too', async () => {
    const front = await startVaultFront(lab().vault)
    front.isSilent = true
    const { environment } = createTestNode(lab(), { at: front })
    const asked = front.nextRequest('pki/issuers')
    const agent = spawnAgent(environment, { args: ['init'] })
    await asked
    agent.signal('SIGTERM')
    expect(await withinASecond(agent.ended)).toEqual({ code: 69, signal: null })
    expect(agent.stderr()).toMatch(/^calico-vault-agent: .*\n(?: {2}.*\n){2} {2}More: docs\/runbook\.md#[\w-]+\n$/)
  })
})

describe('exit codes', () => {
  it('69: init where there is neither a certificate nor a Vault', async () => {
    const agent = spawnAgent(await withoutVault(), { args: ['init', '--wait=1s'] })
    expect(await agent.ended).toEqual({ code: 69, signal: null })
    expect(agent.stderr()).toMatch(/ECONNREFUSED.*\n {2}Check VAULT_ADDR/)
  })

  it('64: wrong arguments', async () => {
    const environment = await withoutVault()
    for (const [args, text] of [
      [['start'], "unknown command 'start' (Did you mean started?); see calico-vault-agent --help"],
      [['run', '--fast'], "unknown option '--fast'; see calico-vault-agent run --help"],
      [['init', '--wait', 'soon'], '--wait takes one duration such as 30s; see calico-vault-agent init --help'],
    ] as const) {
      const agent = spawnAgent(environment, { args })
      expect(await agent.ended).toEqual({ code: 64, signal: null })
      expect(agent.output()).toBe(`calico-vault-agent: ${text}\n`)
    }
  })

  it.each(['run', 'init'])('78: %s with every problem of the configuration at once', async (command) => {
    const agent = spawnAgent(
      {
        VAULT_SKIP_VERIFY: '1',
        NODE_NAME: 'node 1',
        AGENT_TTL: 'soon',
        AGENT_COMPONENTS: 'x',
        VAULT_TOKEN: 'hvs.secret',
      },
      { args: [command] },
    )
    expect(await agent.ended).toEqual({ code: 78, signal: null })
    const problems = agent
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('  - '))
    expect(agent.stderr()).toMatch(/^calico-vault-agent: the configuration has 6 problems:\n/)
    expect(new Set(problems.map((line) => line.slice(4).split(' ')[0]))).toEqual(
      new Set(['AGENT_COMPONENTS', 'AGENT_TTL', 'NODE_NAME', 'VAULT_ADDR', 'VAULT_SKIP_VERIFY', 'VAULT_TOKEN']),
    )
    expect(agent.stderr()).toContain('did you mean AGENT_COMPONENT?')
    expect(agent.output()).not.toContain('hvs.secret')
  })

  it('0: help and version, whatever the environment', async () => {
    for (const [args, text] of [
      [['--help'], /^Usage: calico-vault-agent [^]*VAULT_ADDR/],
      [['init', '--help'], /^Usage: calico-vault-agent init/],
      [['run', '-h'], /^Usage: calico-vault-agent run/],
      [['--version'], /^calico-vault-agent \d+\.\d+\.\d+ \(node 24\./],
    ] as const) {
      const agent = spawnAgent({ AGENT_NONSENSE: '1' }, { args })
      expect(await agent.ended).toEqual(ok)
      expect(agent.output()).toMatch(text)
    }
  })
})

async function withoutVault(): Promise<Record<string, string>> {
  return {
    VAULT_ADDR: `https://127.0.0.1:${await freePort()}`,
    NODE_NAME: 'node1',
    AGENT_DIR: tempDir(),
  }
}

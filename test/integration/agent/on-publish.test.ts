/** The built agent with AGENT_ON_PUBLISH: each way of telling, what goes wrong with it, and that publishing never waits for it. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer, json } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { type AgentProcess, type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createTestNode, type TestNode, withLab } from './lab.ts'
import { readPublished } from './published.ts'

const isDone = ({ event }: LoggedLine): boolean => event === 'on-publish-done'
const isFailed = ({ event }: LoggedLine): boolean => event === 'on-publish-failed'
const isPublished = ({ event }: LoggedLine): boolean => event === 'published'

const shell = (script: string): string => JSON.stringify(['/bin/sh', '-c', script])

withLab(startDevVault, {}, (lab) => {
  const start = (node: TestNode, env: Readonly<Record<string, string>>): AgentProcess =>
    spawnAgent({ ...node.environment, ...env })

  async function renew(agent: AgentProcess): Promise<void> {
    agent.signal('SIGHUP')
    await agent.nextLine(isPublished)
  }

  it('runs a program for the first certificate and every other, which learns what happened and no secret', async () => {
    const node = createTestNode(lab())
    const told = join(node.root, 'told')
    const secret = { SOME_TOKEN: 'not-for-programs', CREDENTIALS_DIRECTORY: '/run/credentials' }
    const agent = start(node, { ...secret, AGENT_ON_PUBLISH: shell(`env > ${told}; echo restarted it`) })
    const first = await agent.nextLine(isDone)
    expect(first).toMatchObject({ component: 'calico-node', action: 'program', output: 'restarted it' })
    const environment = (): Record<string, string> =>
      Object.fromEntries(
        readFileSync(told, 'utf8')
          .split('\n')
          .flatMap((line) => [/^(\w+)=(.*)$/.exec(line)?.slice(1, 3) ?? []])
          .filter((pair) => pair.length === 2),
      ) as Record<string, string>
    const { serialNumber } = readPublished(node.directory).leaf
    expect(environment()).toMatchObject({
      PUBLISHED_TARGET: 'calico-node',
      PUBLISHED_DIRECTORY: node.directory,
      PUBLISHED_REASON: 'never-published',
      PUBLISHED_CA_SET_CHANGED: 'false',
      PUBLISHED_SERIAL: serialNumber,
    })
    expect(Object.keys(environment()).filter((name) => /^(AGENT|VAULT|CREDENTIALS|SOME)/.test(name))).toEqual([])

    agent.signal('SIGHUP')
    await agent.nextLine(isDone)
    expect(environment()).toMatchObject({
      PUBLISHED_REASON: 'renewal-requested',
      PUBLISHED_SERIAL: readPublished(node.directory).leaf.serialNumber,
    })
    expect(environment()['PUBLISHED_SERIAL']).not.toBe(serialNumber)
    const { text: metrics } = await agent.ask('/metrics')
    expect(metrics).toContain('calico_vault_agent_on_publish_total{component="calico-node"} 2\n')
    expect(metrics).toContain('calico_vault_agent_on_publish_failing{component="calico-node"} 0\n')
  })

  it('signals the process of a pid file, once there is one', async () => {
    const node = createTestNode(lab())
    const pidFile = join(node.root, 'consumer.pid')
    const agent = start(node, { AGENT_ON_PUBLISH: `SIGTERM:${pidFile}` })
    const failed = await agent.nextLine(isFailed)
    expect(failed).toMatchObject({ level: 'warn', reason: 'on-publish-failed', action: 'signal' })
    expect(failed.error).toContain(`${pidFile}: ENOENT`)
    expect(failed['runbook']).toBe('docs/runbook.md#on-publish-failed')

    const consumer = spawn('sleep', ['600'], { stdio: 'ignore' })
    onTestFinished(() => void consumer.kill('SIGKILL'))
    const ended = once(consumer, 'exit')
    writeFileSync(pidFile, `${consumer.pid}\n`)
    await agent.nextLine(isDone)
    expect(await ended).toEqual([null, 'SIGTERM'])

    // The process is gone, and its number must not become somebody else's.
    agent.signal('SIGHUP')
    expect((await agent.nextLine(isFailed)).error).toContain('no such process runs')
    writeFileSync(pidFile, `${agent.processId}`)
    agent.signal('SIGHUP')
    expect((await agent.nextLine(isFailed)).error).toContain('holds no process id of a consumer')
  })

  it('calls a URL, and again if the answer is no', async () => {
    const bodies: unknown[] = []
    const server = createServer(async (request, response) => {
      const { method, url: path } = request
      bodies.push({ method, path, ...((await json(request)) as object) })
      response.writeHead(bodies.length === 1 ? 503 : 204).end(bodies.length === 1 ? 'not now' : undefined)
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const node = createTestNode(lab())
    const url = `http://localhost:${(server.address() as AddressInfo).port}/reload`
    const agent = start(node, { AGENT_ON_PUBLISH: url })
    expect((await agent.nextLine(isFailed)).error).toBe(`POST ${url}: 503 not now`)
    const { text: metrics } = await agent.ask('/metrics')
    expect(metrics).toContain('calico_vault_agent_on_publish_failing{component="calico-node"} 1\n')
    expect(await agent.nextLine(isDone)).toMatchObject({ action: 'url', output: '204' })
    const { serialNumber } = readPublished(node.directory).leaf
    const body = { method: 'POST', path: '/reload', target: 'calico-node', serialNumber, caSetChanged: false }
    expect(bodies).toMatchObject([body, body])
  })

  it('kills a program at its deadline, with its children; publishing has not waited for it', async () => {
    const node = createTestNode(lab())
    const [pipe, count] = [join(node.root, 'pipe'), join(node.root, 'count')]
    execFileSync('mkfifo', [pipe])
    // The child holds the pipe open for as long as it lives.
    const childEnds = buffer(createReadStream(pipe))
    const script = `echo run >> ${count}; echo started; sleep 600 > ${pipe} & wait`
    const agent = start(node, { AGENT_ON_PUBLISH: shell(script), AGENT_ON_PUBLISH_TIMEOUT: '3s' })
    await agent.nextLine(isPublished)
    await renew(agent)
    await renew(agent)
    expect((await agent.ask('/readyz')).status).toBe(200)
    const before = agent.lines.filter((line) => isFailed(line) || isDone(line))
    expect(before).toEqual([])
    const failed = await agent.nextLine(isFailed)
    expect(failed).toMatchObject({ reason: 'on-publish-timeout' })
    expect(failed.error).toBe('/bin/sh ran for longer than 3 s and was killed with its children: started')
    await childEnds
    expect(readFileSync(count, 'utf8')).toMatch(/^run\n/)
  })

  it('ca-only: says nothing of a new certificate, and all of a new CA', async () => {
    const node = createTestNode(lab())
    const told = join(node.root, 'told')
    const program = shell(`echo "$PUBLISHED_SERIAL $PUBLISHED_CA_SET_CHANGED" >> ${told}`)
    const agent = start(node, { AGENT_ON_PUBLISH: program, AGENT_ON_PUBLISH_WHEN: 'ca-only' })
    await agent.nextLine(isPublished)
    await renew(agent)
    await lab().api.root('POST', 'pki/root/generate/internal', { common_name: 'next', key_type: 'ec', ttl: '480h' })
    await renew(agent)
    await agent.nextLine(isDone)
    expect(readFileSync(told, 'utf8')).toBe(`${readPublished(node.directory).leaf.serialNumber} true\n`)
  })

  it('what a killed agent could not tell, its successor tells', async () => {
    const node = createTestNode(lab())
    const [told, allowed] = [join(node.root, 'told'), join(node.root, 'allowed')]
    const env = { AGENT_ON_PUBLISH: shell(`test -e ${allowed} && echo "$PUBLISHED_REASON" >> ${told}`) }
    const first = start(node, env)
    await first.nextLine(isFailed)
    first.signal('SIGKILL')
    await first.ended
    writeFileSync(allowed, '')
    const second = start(node, env)
    await second.nextLine(isDone)
    second.signal('SIGTERM')
    await second.ended
    expect(readFileSync(told, 'utf8')).toBe('found\n')
    expect(readdirSync(node.directory)).toContain('..told')

    // It is no news to the third.
    rmSync(told)
    const third = start(node, env)
    await third.nextLine(({ event }) => event === 'found')
    await renew(third)
    await third.nextLine(isDone)
    expect(readFileSync(told, 'utf8')).toBe('renewal-requested\n')
  })

  it.each([
    ['/no/such/program', 'ENOENT'],
    // Node tells of this one in another way.
    [`${process.execPath}/below-a-file`, 'ENOTDIR'],
  ])('a program that cannot be started is a failure with its name: %s', async (program, code) => {
    const node = createTestNode(lab())
    const agent = start(node, { AGENT_ON_PUBLISH: program })
    expect((await agent.nextLine(isFailed)).error).toMatch(new RegExp(`^${program}: spawn .*${code}$`))
    await renew(agent)
    expect(existsSync(join(node.directory, 'etcd-cert'))).toBe(true)
  })
})

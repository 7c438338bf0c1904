/** Proves on the built bundle what an operator sees: metrics in both formats, the probes, one log line an event, and never a secret. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type AgentProcess, type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { at } from '../../support/https-json.ts'
import { changed, createTestNode, describeEachVault } from './lab.ts'
import { readPublished } from './published.ts'
import { startVaultFront } from './vault-front.ts'

/** The directory is free for the next one then. */
async function end(agent: AgentProcess): Promise<void> {
  agent.signal('SIGTERM')
  await agent.ended
}

const isPublished = ({ event }: LoggedLine): boolean => event === 'published'
const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** What every scrape of an agent with one good target holds, without the common prefix. */
const samples = [
  /^build_info\{version="\d+\.\d+\.\d+",node_version="24\.[\d.]+"\} 1$/m,
  /^certificate_not_before_timestamp_seconds\{component="calico-node"\} 1[\d.]{9}$/m,
  /^certificate_not_after_timestamp_seconds\{component="calico-node"\} 1[\d.]{9}$/m,
  /^certificate_next_renewal_timestamp_seconds\{component="calico-node"\} 1[\d.]{9,}$/m,
  /^certificate_runway_seconds\{component="calico-node"\} 86[34]\d\d/m,
  /^renewals_total\{component="calico-node",reason="never-published"\} 1$/m,
  /^last_success_timestamp_seconds\{component="calico-node"\} 1[\d.]{9,}$/m,
  /^next_try_timestamp_seconds\{component="calico-node"\} 0$/m,
  /^publish_duration_seconds_count 1$/m,
  /^ca_certificates\{component="calico-node"\} 1$/m,
  /^ca_earliest_expiry_timestamp_seconds\{component="calico-node"\} [12][\d.]{9}$/m,
  /^ca_changed_since_start\{component="calico-node"\} 0$/m,
  /^vault_requests_total\{operation="login",outcome="ok"\} 1$/m,
  /^vault_requests_total\{operation="sign",outcome="ok"\} 1$/m,
  /^vault_request_duration_seconds_count\{operation="sign"\} 1$/m,
  /^vault_logins_total\{method="jwt"\} 1$/m,
  /^vault_token_expiry_timestamp_seconds 1[\d.]{9,}$/m,
  /^service_account_token_expiry_timestamp_seconds 1\d{9}$/m,
  /^clock_skew_seconds -?[\d.]+$/m,
  /^heartbeat_timestamp_seconds\{component="calico-node"\} 1[\d.]{9,}$/m,
  /^gate_rejections_total\{component="calico-node",reason="wrong-name"\} 0$/m,
]

const sampleNames = (text: string): string[] =>
  [...text.matchAll(/^(\w+)(?:\{[^}]*\})? \S+$/gm)].map(([, name = '']) => name).toSorted()

describeEachVault('observability of the bundle', {}, (lab) => {
  it('metrics in the text format and in OpenMetrics, scrape after scrape', async () => {
    const { environment } = createTestNode(lab())
    const agent = spawnAgent(environment)
    await agent.nextLine(isPublished)
    const text = await agent.ask('/metrics', { accept: 'text/plain' })
    expect(text.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    const bare = text.text.replaceAll(/^calico_vault_agent_/gm, '')
    for (const sample of samples) expect(bare).toMatch(sample)
    const open = await agent.ask('/metrics', { accept: openMetricsType })
    expect(open.headers['content-type']).toBe(openMetricsType)
    expect(open.text.endsWith('\n# EOF\n')).toBe(true)
    expect(open.text).toContain('# TYPE calico_vault_agent_renewals counter\n')
    expect(sampleNames(open.text)).toEqual(sampleNames(text.text))
    const again = await agent.ask('/metrics')
    expect(sampleNames(again.text)).toEqual(sampleNames(text.text))
    expect(again.text).toContain('# TYPE calico_vault_agent_renewals_total counter\n')
  })

  it('the probes, and what is no part of the server', async () => {
    const { environment, directory } = createTestNode(lab())
    const agent = spawnAgent(environment)
    await agent.nextLine(isPublished)
    for (const path of ['/startupz', '/livez', '/readyz']) {
      const { status, headers, text } = await agent.ask(path)
      expect([path, status, headers['content-type']]).toEqual([path, 200, 'application/json'])
      const body: unknown = JSON.parse(text)
      expect(body).toMatchObject({ ok: true })
      expect(at(body, 'targets', '0')).toMatchObject({
        component: 'calico-node',
        directory,
        ready: true,
        alive: true,
        notAfter: readPublished(directory).leaf.validToDate.toISOString(),
      })
    }
    for (const path of ['//', '/metrics/', '/debug/pprof', '/__proto__']) {
      expect((await agent.ask(path)).status).toBe(404)
    }
  })

  it('one line an event at info, and more at debug', async () => {
    const { environment, directory } = createTestNode(lab())
    const agent = spawnAgent(environment)
    await agent.nextLine(isPublished)
    await agent.ask('/livez')
    expect(agent.lines.map(({ level, event }) => `${level} ${event}`)).toEqual([
      'info started',
      'info issued',
      'info published',
      'info listening',
    ])
    const { leaf } = readPublished(directory)
    expect(agent.lines[2]).toMatchObject({
      component: 'calico-node',
      reason: 'never-published',
      serialNumber: leaf.serialNumber,
      notAfter: leaf.validToDate.toISOString(),
      caCount: 1,
      msg: expect.stringMatching(/^calico-node: published \(.*\); valid for .*, renewal in /) as string,
    })

    await end(agent)
    const talkative = spawnAgent({ ...environment, AGENT_LOG_LEVEL: 'debug' })
    await talkative.nextLine(({ event }) => event === 'found')
    talkative.signal('SIGHUP')
    await talkative.nextLine(isPublished)
    const requests = talkative.lines.filter(({ event }) => event === 'vault-request')
    expect(requests.map((line) => line['operation'])).toEqual(['issuers', 'issuer', 'login', 'sign'])
    expect(talkative.lines.filter(({ event }) => event === 'login')).toHaveLength(1)

    await end(talkative)
    const pretty = spawnAgent({ ...environment, AGENT_LOG_FORMAT: 'pretty', AGENT_LISTEN: 'off' })
    await until(pretty, /certificate in place is good/)
    expect(pretty.output()).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ info {2}calico-node: the certificate in place is good; valid for .*\d[hm]$/m,
    )
  })

  it('no secret ever appears, not at debug, not in failures', async () => {
    const front = await startVaultFront(lab().vault)
    const { environment, root, directory, tokenFile } = createTestNode(lab(), {
      at: front,
      env: { AGENT_LOG_LEVEL: 'debug', AGENT_STATE_DIR: '/dev/null/state' },
    })
    const agent = spawnAgent(environment)
    await agent.nextLine(isPublished)
    const secrets = [readFileSync(tokenFile, 'utf8')]
    const keys = [readPublished(directory).key]
    // A request that Vault refuses, a login that it refuses, answers to nobody.
    front.rewrite = (_path, body) => body.replace('calico-node:node1', 'calico-node:node2')
    agent.signal('SIGHUP')
    await agent.nextLine(({ reason }) => reason === 'vault-request-refused')
    await front.close()
    agent.signal('SIGHUP')
    await agent.nextLine(({ reason }) => reason === 'vault-unreachable')
    await front.open()
    front.rewrite = (_path, body) => body
    agent.signal('SIGHUP')
    await agent.nextLine(isPublished)
    keys.push(readPublished(directory).key)
    const outputs = [await everything(agent)]

    const { roleId = '', secretId = '' } = lab().setup.approle['node1'] ?? {}
    writeFileSync(join(root, 'role-id'), roleId)
    writeFileSync(join(root, 'secret-id'), `${secretId}x`)
    await end(agent)
    const approle = spawnAgent(
      changed(environment, {
        AGENT_AUTH_METHOD: 'approle',
        AGENT_AUTH_TOKEN_FILE: undefined,
        AGENT_AUTH_ROLE_ID_FILE: join(root, 'role-id'),
        AGENT_AUTH_SECRET_ID_FILE: join(root, 'secret-id'),
      }),
    )
    await approle.nextLine(({ event }) => event === 'found')
    approle.signal('SIGHUP')
    await approle.nextLine(({ reason }) => reason === 'vault-login-refused')
    writeFileSync(join(root, 'secret-id'), secretId)
    approle.signal('SIGHUP')
    await approle.nextLine(isPublished)
    keys.push(readPublished(directory).key)
    outputs.push(await everything(approle))

    secrets.push(secretId, ...front.requests.map(({ token }) => token).filter((token) => token !== undefined))
    secrets.push(...keys.flatMap((key) => key.split('\n').filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))))
    expect(new Set(secrets).size).toBeGreaterThan(7)
    for (const secret of secrets) {
      for (const output of outputs) expect(output.includes(secret)).toBe(false)
    }
    expect(outputs.join()).not.toMatch(/PRIVATE KEY|eyJ|hv[sb]\./)
  })
})

/** All that the process has ever said, and all that can be asked of it. */
async function everything(agent: AgentProcess): Promise<string> {
  const paths = ['/metrics', '/startupz', '/livez', '/readyz', '/']
  const answers = await Promise.all(paths.map((path) => agent.ask(path)))
  const open = await agent.ask('/metrics', { accept: openMetricsType })
  return [agent.output(), open.text, ...answers.map(({ text, headers }) => JSON.stringify(headers) + text)].join('\n')
}

/** The pretty form has no lines that could be parsed. */
async function until(agent: AgentProcess, text: RegExp): Promise<void> {
  await expect.poll(() => agent.output(), { timeout: 10_000 }).toMatch(text)
}

/** Proves that the whole agent gets its certificate by every login method, and what becomes of tokens and credentials over time. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { changed, createTestNode, describeEachVault, type Lab, withLab } from './lab.ts'
import { entriesOf, project, readPublished, snapshot } from './published.ts'
import { startVaultFront } from './vault-front.ts'

type MethodEnvironment = (lab: Lab, root: string) => Promise<Readonly<Record<string, string | undefined>>>

const tokenEnvironment: MethodEnvironment = async ({ setup }, root) => ({
  AGENT_AUTH_METHOD: 'token',
  AGENT_AUTH_TOKEN_FILE: undefined,
  AGENT_VAULT_TOKEN_FILE: fileWith(root, 'vault-token', `${setup.token}\n`),
  AGENT_PKI_ROLE: '{component}-any-node',
})

/** What is different from the environment of jwt. */
const methods: Readonly<Record<string, MethodEnvironment>> = {
  jwt: async () => ({}),
  kubernetes: async () => ({ AGENT_AUTH_METHOD: 'kubernetes', AGENT_PKI_ROLE: '{component}-any-node' }),
  approle: async ({ setup }, root) => {
    const { roleId = '', secretId = '' } = setup.approle['node1'] ?? {}
    return {
      AGENT_AUTH_METHOD: 'approle',
      AGENT_AUTH_TOKEN_FILE: undefined,
      AGENT_AUTH_ROLE_ID_FILE: fileWith(root, 'role-id', roleId),
      AGENT_AUTH_SECRET_ID_FILE: fileWith(root, 'secret-id', `${secretId}\n`),
    }
  },
  cert: async ({ clientCa }, root) => {
    const { certificatePem, privateKeyPem } = await clientCa.issue({ commonName: 'node1' })
    return {
      AGENT_AUTH_METHOD: 'cert',
      AGENT_AUTH_TOKEN_FILE: undefined,
      AGENT_AUTH_ROLE: 'nodes',
      VAULT_CLIENT_CERT: fileWith(root, 'client.pem', certificatePem),
      VAULT_CLIENT_KEY: fileWith(root, 'client.key', privateKeyPem),
    }
  },
  'token from a file': tokenEnvironment,
}

describeEachVault('logins', {}, (lab) => {
  it.each(Object.entries(methods))('%s: logs in, signs and publishes', async (method, environmentOf) => {
    const node = createTestNode(lab())
    const agent = await startAgent(changed(node.environment, await environmentOf(lab(), node.root)))
    await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
    // A token that was handed to us is no login.
    expect(await agent.metric(`vault_logins_total{method="${method}"}`)).toBe(
      method === 'token from a file' ? undefined : 1,
    )
    expect(readPublished(node.directory)).toMatchObject({
      commonName: 'calico-node:node1',
      caNames: ['Calico etcd clients'],
    })
    expect(agent.probe('readyz').ok).toBe(true)
    expect(entriesOf(node.directory)).toEqual(expect.arrayContaining(['etcd-ca', 'etcd-cert', 'etcd-key']))
  })

  it('a token that was handed to the agent is renewed when half of its life is over', async () => {
    const clock = createFakeClock()
    const { environment, root } = createTestNode(lab())
    const agent = await startAgent(changed(environment, await tokenEnvironment(lab(), root)), { clock })
    const first = await agent.nextEvent('token')
    await agent.nextEvent('published')
    await passBoth(clock, 29 * 60_000)
    expect(agent.events.filter(({ type }) => type === 'token')).toHaveLength(1)
    await passBoth(clock, 2 * 60_000)
    const renewed = await agent.nextEvent('token')
    expect(renewed.expiresAtMs).toBeGreaterThan(first.expiresAtMs ?? Number.POSITIVE_INFINITY)
    expect(agent.events.filter(({ type }) => type === 'published')).toHaveLength(1)
  })

  it('a Vault token that is revoked is told, and the one that replaces it in the file is used at once', async () => {
    const policies = ['calico-node-any-node-pki']
    const create = async (): Promise<string> => {
      const token = { policies, no_default_policy: true, period: '1h' }
      return (await lab().api.root('POST', 'auth/token/create', token)).body.auth?.client_token ?? ''
    }
    const first = await create()
    const { environment, root, directory } = createTestNode(lab())
    const changes = await tokenEnvironment(lab(), root)
    const file = fileWith(root, 'vault-token', first)
    const agent = await startAgent(changed(environment, changes), { clock: createFakeClock(), watch: true })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    await lab().api.root('POST', 'auth/token/revoke', { token: first })
    agent.renewNow()
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-denied' })
    expect(snapshot(directory)).toEqual(before)
    writeFileSync(file, await create())
    await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
  })

  it('a token file that is replaced is what the next login uses, without a restart', async () => {
    const clock = createFakeClock()
    const { environment, tokenFile, directory } = createTestNode(lab())
    const agent = await startAgent(environment, { clock })
    const before = await agent.nextEvent('credential')
    await agent.nextEvent('published')
    writeFileSync(tokenFile, lab().accounts.token({ expiresInSeconds: 7200 }))
    // The Vault token lives for a quarter of an hour; only then is there a login.
    agent.renewNow()
    await agent.nextEvent('published')
    clock.advance(15 * 60_000)
    agent.renewNow()
    const after = await agent.nextEvent('credential')
    await agent.nextEvent('published')
    expect((after.expiresAtMs ?? 0) - (before.expiresAtMs ?? 0)).toBeGreaterThan(3_590_000)
    expect(agent.events.filter(({ type }) => type === 'login')).toHaveLength(2)
    expect(readPublished(directory).commonName).toBe('calico-node:node1')
  })

  it('a missing token file is told, and its appearance by a swap of the kubelet ends the waiting at once', async () => {
    const { environment, root, directory } = createTestNode(lab())
    const volume = join(root, 'volume')
    const tokenFile = project(volume, 'other', 'x').replace('other', 'token')
    // Nobody moves this clock: no retry comes by itself.
    const clock = createFakeClock()
    const agent = await startAgent({ ...environment, AGENT_AUTH_TOKEN_FILE: tokenFile }, { clock, watch: true })
    const kept = await agent.nextEvent('renewal-failed')
    expect(kept).toMatchObject({ reason: 'credential-missing', detail: expect.stringContaining(tokenFile) as string })
    project(volume, 'token', lab().accounts.token())
    await agent.nextEvent('published')
    expect(readPublished(directory).commonName).toBe('calico-node:node1')
  })

  it('a common name by the uid of the node comes from the claims of the token', async () => {
    const { environment, directory } = createTestNode(lab(), {
      env: {
        AGENT_AUTH_METHOD: 'kubernetes',
        AGENT_PKI_ROLE: 'calico-node-any-node',
        AGENT_COMMON_NAME: '{component}:{node_uid}',
      },
    })
    const agent = await startAgent(environment)
    await agent.nextEvent('published')
    expect(readPublished(directory).commonName).toMatch(/^calico-node:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })
})

const inline = { AGENT_INLINE_AUTH: 'on' }

describe('inline authentication: the development Vault as OpenBao', () => {
  withLab(
    async () => await startDevVault({ flavour: 'openbao' }),
    {},
    (lab) => {
      it('logs in and signs in one request, again and again', async () => {
        const front = await startVaultFront(lab().vault)
        const { environment, directory } = createTestNode(lab(), { at: front, env: inline })
        const agent = await startAgent(environment)
        await agent.nextEvent('published')
        agent.renewNow()
        await agent.nextEvent('published')
        expect(front.requests.filter(({ path }) => path.startsWith('auth/'))).toEqual([])
        expect(front.requests.filter(({ path }) => path === 'pki/sign/calico-node')).toHaveLength(2)
        expect(readPublished(directory).commonName).toBe('calico-node:node1')
      })

      it('tells a login that is refused as a login', async () => {
        const { environment, directory } = createTestNode(lab(), { token: { isForged: true }, env: inline })
        const agent = await startAgent(environment)
        expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-login-refused' })
        expect(entriesOf(directory)).toEqual([])
      })
    },
  )
})

describeEachVault('inline authentication on HashiCorp Vault', {}, (lab) => {
  it('is told as what the server does not know', async ({ skip }) => {
    const health = JSON.parse((await lab().api.call('GET', 'sys/health')).text) as { version: string }
    skip(health.version.startsWith('2.'), 'the real Vault is an OpenBao, which knows it')
    const { environment, directory } = createTestNode(lab(), { env: inline })
    const agent = await startAgent(environment)
    const { reason } = await agent.nextEvent('renewal-failed')
    expect(reason).toBe('inline-auth-unsupported')
    expect(agent.log.at(-1)?.message).toMatch(/does not know inline authentication.*Set AGENT_INLINE_AUTH=off/)
    expect(entriesOf(directory)).toEqual([])
  })
})

function fileWith(root: string, name: string, content: string): string {
  const file = join(root, name)
  writeFileSync(file, content, { mode: 0o600 })
  return file
}

/** Time for the loop of the target and the one that looks after the token. */
async function passBoth(clock: FakeClock, ms: number): Promise<void> {
  for (let leftMs = ms; leftMs > 0; ) {
    const stepMs = Math.min(await clock.nextSleep(2), leftMs)
    clock.advance(stepMs)
    leftMs -= stepMs
  }
  await clock.nextSleep(2)
}

/**
 * `rotate-ca` from one CA to the next on a real Vault and a real etcd, with agents whose hours the test lets pass. The command is
 * killed once at every step and started again with the same arguments; clients that read the files for every connection never
 * fail. With the policy of the documentation, and no other right.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { type Ended, type RunOptions, runCommand } from '../../support/command.ts'
import { describeVault, realVaultSubject } from '../../support/each-vault.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { etcdPut } from '../../support/etcd-grpc.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { type MetricsServer, serveMetrics } from '../../support/metrics-server.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { identityIn, startReader } from '../agent/etcd-reader.ts'
import { addServerRole, serverCa } from '../agent/etcd-server-ca.ts'
import { createTestNode, type Lab, withLab } from '../agent/lab.ts'
import { readPublished } from '../agent/published.ts'
import { issuersOf } from './rig.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const hourMs = 3_600_000
const nodes = ['node1', 'node2'] as const

interface Node {
  readonly directory: string
  readonly agent: AgentInProcess
  readonly clock: FakeClock
  readonly metrics: MetricsServer
}

async function startNode(lab: Lab, node: string): Promise<Node> {
  const clock = createFakeClock()
  const { environment, directory } = createTestNode(lab, { node })
  const agent = await startAgent(environment, { clock })
  await agent.nextEvent('published')
  return { directory, agent, clock, metrics: await serveMetrics(agent.scrape) }
}

async function lookAtIssuers({ agent, clock }: Node): Promise<void> {
  await clock.nextSleep()
  await clock.pass(hourMs)
  await agent.nextEvent('vault-request', ({ operation }) => operation === 'issuers')
}

async function renew({ agent }: Node): Promise<void> {
  agent.renewNow()
  await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
}

/** A token with the policy that docs/ca-rotation.md gives to whoever rotates. */
async function operatorToken({ api }: Lab): Promise<string> {
  const policy = /```hcl\n([\s\S]*?)```/.exec(readFileSync('docs/ca-rotation.md', 'utf8'))?.[1]
  await api.root('POST', 'sys/policies/acl/rotate-ca', { policy })
  const { body } = await api.root('POST', 'auth/token/create', { policies: ['rotate-ca'], no_parent: true })
  return body.auth?.client_token ?? ''
}

describeVault(realVaultSubject, `rotate-ca${leftOut}`, ({ start }) => {
  withLab(
    start,
    {},
    (lab) => {
      describe.skipIf('missing' in program)('on real servers', () => {
        let etcd: RealEtcd | undefined
        afterAll(() => etcd?.stop())

        it('killed once at every step, it gets there without a failed handshake', async () => {
          const { api, setup, vault } = lab()
          await api.root('POST', `pki/issuer/${setup.rootIssuerId}`, { issuer_name: 'first' })
          await api.root('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '87600h' })
          await addServerRole(lab())
          const member = await startRealEtcd({ clientCaPem: `${setup.rootPem}\n`, serverCa: serverCa(lab()) })
          etcd = member
          const auth = etcdAuth(await member.client('root'))
          await auth.addRole('calico-node')
          await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
          for (const node of nodes) {
            await auth.addUser(`calico-node:${node}`)
            await auth.grantRole(`calico-node:${node}`, 'calico-node')
          }
          await auth.enable()

          const fleet = await Promise.all(nodes.map(async (node) => await startNode(lab(), node)))
          const [one, two] = fleet as [Node, Node]
          await etcdPut(identityIn(one.directory, member), '/calico/key', 'value')
          const reloading = fleet.map(({ directory }) => startReader(directory, member))
          const everybody = async (act: (node: Node) => Promise<void>): Promise<void> => {
            await Promise.all(fleet.map(act))
            await Promise.all(reloading.map(async ({ reads }) => await reads(3)))
          }

          /** A member goes down and comes back with other certificates; nobody is in the middle of a call. */
          const restartEtcd = async (change: Parameters<RealEtcd['restart']>[0]): Promise<void> => {
            await Promise.all(reloading.map(async ({ pause }) => await pause()))
            await member.restart(change)
            for (const { resume } of reloading) resume()
            await Promise.all(reloading.map(async ({ reads }) => await reads(3)))
          }
          const env = {
            VAULT_ADDR: vault.address,
            VAULT_CACERT: vault.caFile,
            VAULT_TOKEN: await operatorToken(lab()),
          }
          const fleetArgs = ['--agents', fleet.map(({ metrics }) => metrics.url).join(','), '--nodes', nodes.join(',')]
          const wanted = ['--issuer', 'second', '--common-name', 'Calico etcd clients 2', '--retire', 'first']
          const rotate = async (action: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> =>
            await runCommand(['rotate-ca', action, ...wanted, ...fleetArgs, ...args], { env, ...options })
          const apply = async (args: readonly string[], options?: RunOptions): Promise<Ended> =>
            await rotate('apply', ['--yes', '--poll', '100ms', ...args], options)
          const killedAt = async (killAt: string, ...args: readonly string[]): Promise<void> => {
            const { code, stdout, stderr } = await apply(args, { killAt })
            expect({ code, stderr, isReached: stdout.includes(killAt) }).toEqual({
              code: null,
              stderr: '',
              isReached: true,
            })
          }
          const stepNow = async (...args: readonly string[]): Promise<unknown> => {
            const { stdout, stderr } = await rotate('plan', ['-o', 'json', ...args])
            expect(stderr).toBe('')
            return (JSON.parse(stdout) as { step: string }).step
          }

          // Nothing goes on while somebody is unaccounted for.
          two.metrics.setDown(true)
          const refused = await apply([])
          expect(refused.code).toBe(69)
          expect(refused.stderr).toContain('node2 is unaccounted for')
          expect(await issuersOf(lab())).toEqual({ names: ['first'], signs: 'first' })
          two.metrics.setDown(false)

          // 1. The new issuer.
          expect(await stepNow()).toBe('make')
          await killedAt('Waiting for 2 of 2 agents to publish second')
          expect(await issuersOf(lab())).toEqual({ names: ['first', 'second'], signs: 'first' })
          const { body } = await api.root('GET', 'pki/issuer/second')
          const secondPem = `${readText(body.data, 'certificate')}\n`

          // 2. Every agent publishes it.
          expect(await stepNow()).toBe('spread')
          await Promise.all([lookAtIssuers(one), killedAt('Waiting for 1 of 2 agents to publish second')])
          await everybody(async (node) => (node === two ? await lookAtIssuers(node) : undefined))
          const untrusted = await apply([])
          expect(untrusted.code).toBe(69)
          expect(untrusted.stderr).toContain('etcd must trust second')
          expect(untrusted.stdout).toContain('rollout restart daemonset/calico-node')
          expect((await issuersOf(lab())).signs).toBe('first')
          await restartEtcd({ clientCaPem: `${setup.rootPem}\n${secondPem}` })

          // What the documentation says of it.
          expect(acceptedBy(member)).toContain('Calico etcd clients 2')

          // 3. The switch.
          expect(await stepNow('--etcd-trusts-new')).toBe('switch')
          await killedAt('~ default issuer of pki/ (pki/config/issuers)', '--etcd-trusts-new')
          expect((await issuersOf(lab())).signs).toBe('second')

          // 4. Every certificate of the old CA is replaced.
          expect(await stepNow()).toBe('renew')
          await everybody(renew)
          expect(fleet.map(({ directory }) => readPublished(directory).leaf.issuer)).toEqual([
            'CN=Calico etcd clients 2',
            'CN=Calico etcd clients 2',
          ])
          await killedAt('Waiting for 2 of 2 agents to be rid of certificates of first')
          await renew(one)
          const early = await apply(['--wait', '0'])
          expect(early.code).toBe(69)
          expect(early.stderr).toContain('1 of 2 agents to be rid of certificates of first')
          expect((await issuersOf(lab())).names).toEqual(['first', 'second'])

          await restartEtcd({ serverCa: serverCa(lab(), secondPem) })

          // 5. The end: killed with the plan on the screen, then made.
          await everybody(renew)
          expect(await stepNow()).toBe('retire')
          await killedAt('Plan: 0 to add, 0 to change, 1 to take away.')
          const done = await apply([])
          expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' })
          expect(await issuersOf(lab())).toEqual({ names: ['second'], signs: 'second' })
          expect(await stepNow()).toBe('done')
          await everybody(lookAtIssuers)
          expect(fleet.map(({ directory }) => readPublished(directory).caNames)).toEqual([
            ['Calico etcd clients 2'],
            ['Calico etcd clients 2'],
          ])
          await restartEtcd({ clientCaPem: secondPem })
          await everybody(renew)

          for (const { failures, serials } of await Promise.all(reloading.map(async ({ stop }) => await stop()))) {
            expect(failures).toEqual([])
            expect(serials).toBeGreaterThan(2)
          }
          for (const { agent } of fleet) {
            const failed = agent.events.filter(({ type }) => type === 'renewal-failed' || type === 'ca-refresh-failed')
            expect(failed).toEqual([])
          }
        }, 300_000)
      })
    },
    true,
  )
})

/** The names of the CAs that a member accepts clients of. */
function acceptedBy({ endpoint }: RealEtcd): string {
  const { stdout } = spawnSync('openssl', ['s_client', '-connect', new URL(endpoint).host], {
    input: '',
    encoding: 'utf8',
  })
  return /Acceptable client certificate CA names\n((?:.*CN.*\n)*)/.exec(stdout)?.[1] ?? stdout
}

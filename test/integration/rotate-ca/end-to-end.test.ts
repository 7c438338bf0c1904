/**
 * `rotate-ca` from one CA to the next on a real Vault and a real etcd, with agents whose hours the test lets pass. The command is
 * killed once at every step and started again with the same arguments; clients that read the files for every connection never
 * fail. With the policy of the documentation, and no other right.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { type Ended, type RunOptions, runCommand } from '../../support/command.ts'
import { describeVault, realVaultSubject } from '../../support/each-vault.ts'
import { etcdPut } from '../../support/etcd-grpc.ts'
import { type MetricsServer, serveMetrics } from '../../support/metrics-server.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { serverCa, startEtcdOfPki } from '../agent/etcd-of-pki.ts'
import { identityIn } from '../agent/etcd-reader.ts'
import { type Lab, withLab } from '../agent/lab.ts'
import { readPublished } from '../agent/published.ts'
import { lookAtIssuers, type RotatingNode, renew, startClients, startRotatingNode } from '../agent/rotating-node.ts'
import { issuersOf } from './rig.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const nodes = ['node1', 'node2'] as const

interface Node extends RotatingNode {
  readonly metrics: MetricsServer
}

async function startNode(lab: Lab, name: string): Promise<Node> {
  const node = await startRotatingNode(lab, name)
  return { ...node, metrics: await serveMetrics(node.agent.scrape) }
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
          const member = await startEtcdOfPki(lab(), nodes)
          etcd = member

          const fleet = await Promise.all(nodes.map(async (node) => await startNode(lab(), node)))
          const [one, two] = fleet as [Node, Node]
          await etcdPut(identityIn(one.directory, member), '/calico/key', 'value')
          const { reloading, everybody, restartEtcd } = startClients(fleet, member)
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
          // Who falls silent in the meantime is waited for as well.
          const silenced = killedAt('node2 (no agent says that it is there)')
          await two.metrics.asked()
          two.metrics.setDown(true)
          await silenced
          two.metrics.setDown(false)
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

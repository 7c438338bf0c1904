/**
 * Owns `npm run demo`: two nodes, a Vault and an etcd on this machine, and the agent's main job shown and checked in front of the
 * reader's eyes. Ends by itself within a minute; exit status 0 only if everything that it shows held.
 * `--vault real` takes the real Vault of `npm run servers` instead of the development Vault.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { locateServer } from '../servers/locate.ts'
import { startDevVault } from '../support/dev-vault/dev-vault.ts'
import { startRealVault } from '../support/real-vault.ts'
import { createServiceAccountIssuer } from '../support/service-account.ts'
import type { VaultServer } from '../support/vault-server.ts'
import { setUpVault } from '../support/vault-setup.ts'
import { startDemoEtcd } from './etcd.ts'
import { type DemoNode, type LogLine, runInit, startNode, startTraffic, type Traffic } from './node.ts'
import { createReport } from './report.ts'

const ttlSeconds = 15
const nodeNames = ['node1', 'node2'] as const

const { values } = parseArgs({ options: { vault: { type: 'string', default: 'dev' } } })
const located = locateServer('vault')
if (values.vault === 'real' && 'missing' in located) {
  process.stderr.write(`There is no real Vault here: ${located.missing}\nBuild it with: npm run servers\n`)
  process.exit(1)
}
// The demo promises to end by itself, whatever happens.
setTimeout(() => {
  process.stderr.write('\nThe demo took longer than a minute.\n')
  process.exit(1)
}, 58_000).unref()

const report = createReport(process.stdout)
report.heading('calico-vault-agent: a certificate of its own for every node')
const vault: VaultServer = values.vault === 'real' ? await startRealVault() : await startDevVault()
const accounts = createServiceAccountIssuer()
const { rootPem } = await setUpVault(vault, {
  ttl: `${ttlSeconds}s`,
  notBeforeDuration: '5s',
  jwt: { issuer: accounts.issuer, publicKeyPem: accounts.publicKeyPem },
})
const userNames = nodeNames.map((name) => `calico-node:${name}`)
const etcd = await startDemoEtcd(rootPem, userNames)
report.note(values.vault === 'real' ? 'Vault: the real one' : 'Vault: the development Vault in this process')
report.note(`etcd: ${etcd.name}`)
const optionsOf = (name: string) =>
  ({ name, vault, etcdCaFile: etcd.caFile, jwt: accounts.token({ node: name }), ttlSeconds }) as const

const nodes: DemoNode[] = []
const traffic: Traffic[] = []
try {
  await show()
} finally {
  for (const each of traffic) await each.stop()
  await Promise.all(nodes.map((node) => node.stop()))
  await etcd.stop()
  await vault.stop()
}
process.exit(report.finish() ? 0 : 1)

async function show(): Promise<void> {
  report.heading(`Issue and publish (certificates live for ${ttlSeconds} s)`)
  for (const name of nodeNames) {
    const startedAt = performance.now()
    const node = startNode(optionsOf(name))
    nodes.push(node)
    await report.check(`${name} has its certificate`, async () => {
      await node.line(({ event }) => event === 'published', 10_000)
      const { subject, serialNumber } = node.certificate()
      if (subject !== `CN=calico-node:${name}`) throw new Error(`it is for ${subject}`)
      return `${subject}, serial …${serialNumber.slice(-6)}, ${Math.round(performance.now() - startedAt)} ms after the start`
    })
    await report.check(`etcd knows ${name} by it`, async () => expectOk(await etcd.ask(node.directory)))
  }

  report.heading('Rotation under clients that reconnect every 50 ms')
  for (const node of nodes) traffic.push(startTraffic(etcd, node.directory))
  await Promise.all(nodes.map((node, index) => waitForRotations(node, 2, `${nodeNames[index] ?? ''} rotated twice`)))
  await report.check('no connection failed', () => expectNoFailures())

  report.heading('Vault is sealed')
  await vault.seal()
  // Whoever is due first: waiting for the other one too would outlast a certificate of 15 s.
  const sealed = nodes.map((node) => node.line(isSealed, 20_000).then(() => node))
  await report.check('a node that is due keeps its certificate and says why', async () => {
    const node = await Promise.race(sealed)
    const { msg } = await node.line(isSealed, 0)
    const { status, body } = await node.readiness()
    if (status !== 200 || !body.includes('vault-sealed')) throw new Error(`/readyz: ${status} ${body}`)
    expectOk(await etcd.ask(node.directory))
    return msg.slice(0, msg.indexOf('. '))
  })
  for (const each of sealed) each.catch(() => {})
  const sealedAt = nodes.map((node) => publications(node))
  await vault.unseal()
  report.note('Vault is unsealed')
  await Promise.all(
    nodes.map((node, index) =>
      waitForRotations(node, sealedAt[index] ?? 0, `${nodeNames[index] ?? ''} rotated again by itself`),
    ),
  )
  await report.check('no connection failed meanwhile', () => expectNoFailures())

  report.heading('A stolen token')
  await report.check("node1's token cannot get node2's name", async () => {
    const { code, directory, output } = await runInit(optionsOf('node1'), {
      AGENT_COMMON_NAME: 'calico-node:node2',
    })
    const refusal = /common name calico-node:node2 not allowed by this role/.exec(output)?.[0]
    if (code !== 69 || existsSync(join(directory, 'etcd-cert')) || refusal === undefined) {
      throw new Error(`init ended with ${code}: ${output}`)
    }
    return refusal
  })
  await report.check('SIGTERM ends an agent with status 0, its certificate stays', async () => {
    const [node] = nodes.splice(0, 1)
    await traffic.shift()?.stop()
    if (node === undefined) throw new Error('there is no node')
    const code = await node.stop()
    if (code !== 0) throw new Error(`it ended with ${code}`)
    return expectOk(await etcd.ask(node.directory))
  })
}

function isSealed({ event, reason }: LogLine): boolean {
  return event === 'renewal-failed' && reason === 'vault-sealed'
}

function publications(node: DemoNode): number {
  return node.lines.filter(({ event }) => event === 'published').length
}

/** @param count publications after the first one */
function waitForRotations(node: DemoNode, count: number, claim: string): Promise<void> {
  return report.check(claim, async () => {
    await node.line(() => publications(node) > count, 30_000)
    const last = node.lines.findLast(({ event }) => event === 'published')
    return `serial …${node.certificate().serialNumber.slice(-6)}, swapped in ${String(last?.durationMs)} ms`
  })
}

function expectOk(answer: string): string {
  if (answer !== 'ok') throw new Error(answer)
  return 'connected, and allowed to read /calico/'
}

function expectNoFailures(): string {
  const failures = traffic.flatMap((each) => each.failures)
  const answered = traffic.reduce((sum, each) => sum + each.answered(), 0)
  if (failures.length > 0 || answered === 0)
    throw new Error(`${failures.length} failures, such as ${failures[0] ?? 'no connection at all'}`)
  return `${answered} connections, 0 failures`
}

/** The whole agent beside install-cni, as on a node: who starts first, who starts again, who removes what. */
import { mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type AgentProcess, type LoggedLine, spawnAgent } from '../../support/agent-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { runInstallCni } from '../../support/install-cni.ts'
import { netDirIn, realInstallCniMissing, runRealInstallCni } from '../../support/real-install-cni.ts'
import { createTestNode, type Lab, withLab } from './lab.ts'
import { readPublished } from './published.ts'

interface Host {
  readonly agent: AgentProcess
  /** AGENT_DIR */
  readonly secretsDir: string
  readonly netDir: string
  readonly tlsDir: string
  installCni(): Promise<void>
}

function startHost(lab: Lab, isReal: boolean): Host {
  const { root, directory, environment } = createTestNode(lab)
  const netDir = netDirIn(root)
  mkdirSync(netDir, { recursive: true })
  const agent = spawnAgent({ ...environment, AGENT_HOST_CNI_DIR: netDir, AGENT_HOST_CNI_COMPONENT: 'calico-node' })
  const places = { netDir, secretsDir: directory }
  return {
    agent,
    secretsDir: directory,
    netDir,
    tlsDir: join(netDir, 'calico-tls'),
    installCni: async () => (isReal ? await runRealInstallCni(root, places) : runInstallCni(places)),
  }
}

/** The agent's copy, by the one link that makes it one; fails where the three are not what is published. */
function readCopy({ tlsDir, secretsDir }: Host): string {
  const copied = readPublished(tlsDir)
  expect(readFileSync(join(tlsDir, 'etcd-ca'))).toEqual(readFileSync(join(secretsDir, 'etcd-ca')))
  expect(copied.leaf.serialNumber).toBe(readPublished(secretsDir).leaf.serialNumber)
  return copied.leaf.serialNumber
}

const isCopied = ({ event }: LoggedLine): boolean => event === 'host-copied'

const subjects = [
  { name: 'install-cni, step by step as it works', isReal: false, missing: undefined },
  { name: "Calico's own install-cni", isReal: true, missing: realInstallCniMissing },
]

for (const { name, isReal, missing } of subjects) {
  const leftOut = missing === undefined ? '' : ` (left out: ${missing})`
  describe.skipIf(missing !== undefined)(`beside ${name}${leftOut}`, () => {
    withLab(startDevVault, {}, (lab) => {
      it('waits for it, follows every rotation and every further start of it, and repairs', {
        timeout: 60_000,
      }, async () => {
        const host = startHost(lab(), isReal)
        const { agent, netDir, tlsDir } = host
        const absent = await agent.nextLine(({ event }) => event === 'host-copy-failed')
        expect(absent).toMatchObject({ level: 'info', reason: 'host-copy-absent' })
        expect(readdirSync(netDir)).toEqual([])

        await host.installCni()
        await agent.nextLine(isCopied)
        const first = readCopy(host)

        agent.signal('SIGHUP')
        await agent.nextLine(isCopied)
        expect(readCopy(host)).not.toBe(first)

        await host.installCni()
        await agent.nextLine(isCopied)
        readCopy(host)

        unlinkSync(join(tlsDir, 'etcd-key'))
        await agent.nextLine(isCopied)
        readCopy(host)

        rmSync(tlsDir, { recursive: true })
        await agent.nextLine(({ event, reason }) => event === 'host-copy-failed' && reason === 'host-copy-absent')
        expect(readdirSync(netDir)).not.toContain('calico-tls')
        await host.installCni()
        await agent.nextLine(isCopied)
        readCopy(host)

        const { text: metrics } = await agent.ask('/metrics')
        expect(metrics).toContain('calico_vault_agent_host_copy_in_step{component="calico-node"} 1\n')
        const { text: ready } = await agent.ask('/readyz')
        expect(JSON.parse(ready)).toMatchObject({ ok: true, targets: [{ hostCopy: { path: tlsDir, inStep: true } }] })
      })

      it('a copy that an earlier pod has left is refreshed before install-cni starts', async () => {
        const host = startHost(lab(), isReal)
        await host.agent.nextLine(({ event }) => event === 'host-copy-failed')
        await host.installCni()
        await host.agent.nextLine(isCopied)
        host.agent.signal('SIGKILL')
        await host.agent.ended
        rmSync(join(host.tlsDir, '..data'))
        const again = spawnAgent({
          ...createTestNode(lab(), { env: { AGENT_DIR: host.secretsDir } }).environment,
          AGENT_HOST_CNI_DIR: host.netDir,
          AGENT_HOST_CNI_COMPONENT: 'calico-node',
        })
        await again.nextLine(({ event }) => event === 'found')
        await again.nextLine(isCopied)
        readCopy(host)
      })
    })
  })
}

/** The commands of docs/ca-rotation.md as they are written there: from one CA to the next, on a real Vault, beside agents whose hours the test lets pass. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Ended } from '../../support/command.ts'
import { commandsOf, runCommands, shellBlock } from '../../support/documents.ts'
import { describeVault, realVaultSubject } from '../../support/each-vault.ts'
import { serveMetrics } from '../../support/metrics-server.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { withLab } from '../agent/lab.ts'
import { readPublished } from '../agent/published.ts'
import { lookAtIssuers, type RotatingNode, renew, startRotatingNode } from '../agent/rotating-node.ts'
import { issuersOf } from './rig.ts'

const nodes = ['node1', 'node2', 'node3']

describeVault(realVaultSubject, 'docs/ca-rotation.md', ({ start }) => {
  withLab(
    start,
    {},
    (lab) => {
      it('status, and from the first CA to the second by two commands', async () => {
        const { api, setup, vault } = lab()
        await api.root('POST', `pki/issuer/${setup.rootIssuerId}`, { issuer_name: 'first' })
        await api.root('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '87600h' })
        const fleet = await Promise.all(nodes.map(async (node) => await startRotatingNode(lab(), node)))
        const served = await Promise.all(fleet.map(async ({ agent }) => await serveMetrics(agent.scrape)))
        const everybody = async (act: (node: RotatingNode) => Promise<void>): Promise<void> => {
          await Promise.all(fleet.map(act))
        }

        const directory = tempDir()
        writeFileSync(join(directory, 'ca.pem'), vault.caPem)
        const main = join(import.meta.dirname, '../../../dist/main.js')
        writeFileSync(join(directory, 'calico-vault-agent'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`)
        chmodSync(join(directory, 'calico-vault-agent'), 0o755)
        const [exported, agents, status, make, take, ...more] = commandsOf(
          shellBlock('docs/ca-rotation.md', 'rotate-ca status'),
        )
        expect(more).toEqual([])
        const run = async (command: string | undefined): Promise<Ended> =>
          // What asks on a terminal is answered beforehand, and nobody waits for ten seconds.
          await runCommands([exported, agents, command?.replace(' apply ', ' apply --yes --poll 100ms ')].join('\n'), {
            directory,
            env: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
            here: {
              'https://vault.example.org:8200': vault.address,
              'VAULT_TOKEN=…': `VAULT_TOKEN=${vault.rootToken}`,
              '10.0.0.1,10.0.0.2,10.0.0.3': served.map(({ url }) => url).join(','),
            },
          })

        const told = await run(status)
        expect(told).toMatchObject({ code: 0 })
        for (const node of nodes) expect(told.stdout).toContain(node)

        const making = run(make)
        await expect.poll(async () => (await issuersOf(lab())).names, { timeout: 30_000 }).toContain('second')
        await everybody(lookAtIssuers)
        // What is people's to do: step 2.
        const made = await making
        expect(made).toMatchObject({ code: 69, stderr: expect.stringContaining('etcd must trust second') as string })
        expect(await issuersOf(lab())).toEqual({ names: ['first', 'second'], signs: 'first' })
        expect(fleet.map(({ directory: published }) => readPublished(published).caNames)).toEqual(
          nodes.map(() => expect.arrayContaining(['Calico etcd clients 2']) as string[]),
        )

        const taking = run(take)
        await expect.poll(async () => (await issuersOf(lab())).signs, { timeout: 30_000 }).toBe('second')
        // The one before the published one counts as well.
        for (let times = 0; times < 2; times++) await everybody(renew)
        expect(await taking).toMatchObject({ code: 0 })
        expect(await issuersOf(lab())).toEqual({ names: ['second'], signs: 'second' })
        expect(fleet.map(({ directory: published }) => readPublished(published).leaf.issuer)).toEqual(
          nodes.map(() => 'CN=Calico etcd clients 2'),
        )
      }, 120_000)
    },
    true,
  )
})

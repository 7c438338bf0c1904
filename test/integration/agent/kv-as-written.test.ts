/** The commands of docs/sources.md as they are written there, on a real Vault: the node's agent publishes what they write, and no other may read it. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { createCa } from '../../support/certificates.ts'
import { runCommands, shellBlock } from '../../support/documents.ts'
import { describeVault, realVaultSubject } from '../../support/each-vault.ts'
import { installPrograms } from '../../support/installed-programs.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createTestNode, type Lab, withLab } from './lab.ts'
import { readPublished } from './published.ts'

const hasJq = spawnSync('which', ['jq']).status === 0

describeVault(realVaultSubject, `docs/sources.md${hasJq ? '' : ' (left out: no jq)'}`, ({ start }) => {
  withLab(
    start,
    {},
    (lab) => {
      it.skipIf(!hasJq)('KV: a secret, and a policy by which each node reads its own', async () => {
        const { api } = lab()
        await api.root('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
        // A new mount of version 2 is being upgraded for a moment.
        await expect.poll(async () => (await api.root('GET', 'secret/config').catch(() => undefined))?.status).toBe(200)
        const { body: role } = await api.root('GET', 'auth/jwt/role/calico-node')
        await api.root('POST', 'auth/jwt/role/calico-kv', { ...role.data, token_policies: ['calico-kv'] })
        const ca = await createCa({ commonName: 'Made elsewhere' })
        const leaf = await ca.issue({ commonName: 'calico-node:node1' })

        await runBlock(lab(), {
          'cert.pem': leaf.certificatePem,
          'key.pem': leaf.privateKeyPem,
          'ca.pem': ca.certificatePem,
        })

        const env = { AGENT_SOURCE: 'kv', AGENT_AUTH_ROLE: 'calico-kv' }
        const own = createTestNode(lab(), { env })
        const agent = await startAgent(own.environment)
        await agent.nextEvent('published')
        expect(readPublished(own.directory)).toMatchObject({
          leaf: { serialNumber: leaf.serialNumber },
          caNames: ['Made elsewhere'],
        })
        const other = createTestNode(lab(), {
          node: 'node2',
          env: { ...env, AGENT_KV_PATH: 'calico/node1/{component}' },
        })
        const { reason } = await (await startAgent(other.environment)).nextEvent('renewal-failed')
        expect(reason).toBe('vault-denied')
      })
    },
    true,
  )
})

async function runBlock({ vault }: Lab, files: Readonly<Record<string, string>>): Promise<void> {
  const directory = tempDir()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const env = {
    PATH: installPrograms(directory),
    VAULT_ADDR: vault.address,
    VAULT_CACERT: vault.caFile,
    VAULT_TOKEN: vault.rootToken,
  }
  const ended = await runCommands(shellBlock('docs/sources.md', 'vault kv put'), { directory, env, here: {} })
  expect(ended).toMatchObject({ code: 0 })
}

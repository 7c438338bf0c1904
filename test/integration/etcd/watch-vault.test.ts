/** `provision watch` with its own certificate from the real Vault, from the bundle: obtained, used, renewed under it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { startRealVault } from '../../support/real-vault.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type VaultApi, vaultApi } from '../../support/vault-api.ts'
import { etcdVersions, startMembers } from './rig.ts'
import { putOwn } from './watch-rig.ts'

const [version] = etcdVersions
const vaultProgram = locateServer('vault')
const missing = version?.missing ?? ('missing' in vaultProgram ? vaultProgram.missing : undefined)

/** A PKI mount with a root and the provisioner's role; the root as PEM. */
async function setUpPki(api: VaultApi): Promise<string> {
  await api.root('POST', 'sys/mounts/pki', { type: 'pki' })
  const { body } = await api.root('POST', 'pki/root/generate/internal', { common_name: 'etcd clients', key_type: 'ec' })
  await api.root('POST', 'pki/roles/calico-provisioner', {
    allowed_domains: 'calico-provisioner',
    allow_bare_domains: true,
    enforce_hostnames: false,
    client_flag: true,
    server_flag: false,
    key_type: 'ec',
    key_bits: 256,
    max_ttl: '1h',
  })
  const data: Record<string, unknown> = body.data ?? {}
  return String(data['certificate'])
}

describe.skipIf(missing !== undefined)(
  `provision watch with Vault${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    it('uses the certificate that Vault signs, and the next one', async () => {
      if (version === undefined) throw new Error('no etcd')
      const vault = await startRealVault()
      const api = vaultApi(vault)
      onTestFinished(async () => {
        api.close()
        await vault.stop()
      })
      const clientCaPem = await setUpPki(api)
      const [etcd] = await startMembers(version, 1, { clientCaPem })
      if (etcd === undefined) throw new Error('no member')
      onTestFinished(() => etcd.stop())
      const auth = etcdAuth(await etcd.client('root'))
      await auth.enable()
      await auth.addUser('calico-provisioner')
      await auth.grantRole('calico-provisioner', 'root')

      const root = tempDir()
      mkdirSync(join(root, 'secrets'))
      writeFileSync(join(root, 'token'), vault.rootToken)
      writeFileSync(join(root, 'nodes'), 'node1\nnode2\n')
      const watcher = spawnAgent(
        {
          VAULT_ADDR: vault.address,
          VAULT_CACERT: vault.caFile,
          AGENT_AUTH_METHOD: 'token',
          AGENT_VAULT_TOKEN_FILE: join(root, 'token'),
          NODE_NAME: 'node1',
          AGENT_TTL: '1h',
          AGENT_DIR: join(root, 'secrets'),
          ETCD_ENDPOINTS: etcd.endpoint,
          ETCD_CA_CERT_FILE: etcd.caFile,
          AGENT_LOG_LEVEL: 'debug',
        },
        {
          args: ['provision', 'watch', '--nodes-file', join(root, 'nodes'), '--components', 'calico-node'],
        },
      )
      await watcher.nextLine(({ event }) => event === 'provision-done')
      expect(await putOwn(etcd, 'node1')).toBe('ok')
      expect((await watcher.ask('/readyz')).status).toBe(200)

      watcher.signal('SIGHUP')
      await watcher.nextLine(({ event, msg }) => event === 'provision-identity' && msg.includes('again'))
      writeFileSync(join(root, 'nodes'), 'node1\nnode2\nnode3\n')
      await watcher.nextLine(({ subject }) => subject === 'user calico-node:node3')
      await watcher.nextLine(({ event }) => event === 'provision-done')
      expect(await putOwn(etcd, 'node3')).toBe('ok')
    })
  },
)

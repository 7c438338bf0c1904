/**
 * The way from nothing to a node with a certificate, by the commands of README.md, install.md, vault.md, etcd.md and ca-rotation.md as
 * they are written there, on a real Vault, etcd and API server. After each block it looks at what was made.
 */
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../servers/locate.ts'
import { createCa } from '../support/certificates.ts'
import type { Ended } from '../support/command.ts'
import { runCommands, shellBlock } from '../support/documents.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { etcdPut } from '../support/etcd-grpc.ts'
import { createNode, createPod, createServiceAccount, requestToken } from '../support/kube-objects.ts'
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { type RealVault, startRealVault } from '../support/real-vault.ts'
import { type VaultApi, vaultApi } from '../support/vault-api.ts'
import { runNamed } from './named-commands.ts'

const root = join(import.meta.dirname, '../..')
const namespace = 'kube-system'
const yearMs = 365 * 86_400_000
const missing = [
  ...(['etcd', 'kube-apiserver', 'vault'] as const).flatMap((name) => {
    const found = locateServer(name)
    return 'missing' in found ? [found.missing] : []
  }),
  ...['kubectl', 'curl', 'openssl', 'etcdctl'].filter((name) => spawnSync('which', [name]).status !== 0),
]
const leftOut = missing.length === 0 ? '' : ` (left out: ${missing.join(', ')})`

describe.skipIf(missing.length > 0)(`the quick path${leftOut}`, () => {
  let kube: KubeApiserver
  let vault: RealVault
  let etcd: RealEtcd
  let api: VaultApi
  let directory: string
  let here: Record<string, string>

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quick-path-'))
    ;[kube, vault] = await Promise.all([startKubeApiserver(), startRealVault()])
    api = vaultApi(vault)
    // As for many: etcd's servers have a CA of their own.
    etcd = await startRealEtcd({ serverCa: await createCa({ commonName: 'etcd servers' }) })
    for (const node of ['node1', 'node2']) await createNode(kube, node)
    await createServiceAccount(kube, namespace, 'calico-node')
    await createPod(kube, { namespace, name: 'calico-node-x', node: 'node1', serviceAccount: 'calico-node' })
    const admin = await etcd.client('admin')
    for (const [name, text] of Object.entries({
      'vault-ca.pem': vault.caPem,
      'etcd-ca.pem': etcd.caPem,
      'admin.pem': admin.cert,
      'admin-key.pem': admin.key,
      'ca.crt': kube.caPem,
      'kube-cert.pem': kube.adminCertificatePem,
      'kube-key.pem': kube.adminKeyPem,
    })) {
      writeFileSync(join(directory, name), text, { mode: 0o600 })
    }
    cpSync(join(root, 'manifests'), join(directory, 'manifests'), { recursive: true })
    // The four lines that are the reader's to change.
    const setup = join(directory, 'manifests/vault/setup-vault.yaml')
    writeFileSync(
      setup,
      readFileSync(setup, 'utf8')
        .replace(/url: \S+/, `url: ${kube.url}`)
        .replace(/issuer: \S+/, `issuer: ${kube.issuer}`),
    )
    makePrograms(directory, kube)
    here = {
      'https://vault.example.org:8200': vault.address,
      'https://10.0.0.1:2379,https://10.0.0.2:2379,https://10.0.0.3:2379': etcd.endpoint,
      'https://10.0.0.1:2379': etcd.endpoint,
      'VAULT_TOKEN=…': `VAULT_TOKEN=${vault.rootToken}`,
    }
  }, 180_000)
  afterAll(async () => {
    api?.close()
    await Promise.all([kube?.stop(), vault?.stop(), etcd?.stop()])
    rmSync(directory, { recursive: true, force: true })
  })

  const environment = (): Record<string, string> => ({
    PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: directory,
  })
  /** To its end, with status 0. */
  async function run(commands: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const ended = await runCommands(commands, { directory, env: { ...environment(), ...env }, here })
    expect({ commands, ...ended }).toMatchObject({ code: 0 })
    return ended
  }
  /** `plan    # then: apply`, outside of a terminal. */
  const applied = (commands: string): string => commands.replaceAll(/\bplan\b(.*# then: apply)/g, 'apply --yes$1')
  const published = (name: string): X509Certificate => new X509Certificate(readFileSync(join(directory, name)))

  it('install.md and README.md, Vault: the CA, the roles and the login of four lines', async () => {
    const install = shellBlock('docs/install.md', 'issuer-discovery.yaml')
    expect((await run(install)).stdout).toMatch(/Plan: \d+ to add/)
    // The binding holds as soon as the API server has seen it.
    await expect.poll(async () => await run(applied(install)).catch(() => undefined), { timeout: 60_000 }).toBeDefined()
    const { stdout } = await run(shellBlock('README.md', 'setup-vault.yaml'))
    expect(stdout).toContain('In step: nothing to do.')
    const { body } = await api.root('GET', 'pki/cert/ca')
    const ca = new X509Certificate(String(body.data?.['certificate']))
    expect(ca.validToDate.getTime() - Date.now()).toBeGreaterThan(9 * yearMs)
  }, 120_000)

  it('vault.md: the same in every form', async () => {
    // What asks on a terminal is answered beforehand.
    const commands = shellBlock('docs/vault.md', 'setup-vault export').replaceAll(/(setup-vault apply)/g, '$1 --yes')
    const { stdout } = await run(commands)
    expect(stdout).toContain('In step: nothing to do.')
    expect(stdout).toContain('resource "vault_mount"')
    expect(stdout).toContain('AGENT_COMPONENT=calico-node')
    expect(stdout).not.toContain('AGENT_COMMON_NAME')
    await run('sh -n setup-vault.sh && grep -q "vault write" setup-vault.sh')
  }, 60_000)

  it('README.md, etcd: the PKI CA, and a user for each node without an option', async () => {
    const commands = shellBlock('README.md', 'provision plan')
    const { stdout } = await run(commands)
    expect(stdout).toContain('user calico-node:node1')
    expect(published('pki-ca.pem').subject).toBe('CN=Calico etcd clients of prod')
    // What the block says: into etcd's --trusted-ca-file.
    await etcd.restart({ clientCaPem: readFileSync(join(directory, 'pki-ca.pem'), 'utf8') })
    await run(commands.replace('provision plan', 'provision apply --yes --enable-auth'))
    const users = await etcdAuth(await etcd.client('admin')).users()
    for (const user of ['calico-node:node1', 'calico-cni:node2', 'calico-kube-controllers', 'calicoctl']) {
      expect(users).toContain(user)
    }
  }, 120_000)

  it('install.md and etcd.md: the nodes of the cluster are in step then', async () => {
    const install = shellBlock('docs/install.md', 'kubectl get nodes -o name')
    expect((await run(install)).stdout).toContain('In step: nothing to do.')
    expect(readFileSync(join(directory, 'nodes.txt'), 'utf8')).toBe('node1\nnode2\n')
    const commands = shellBlock('docs/etcd.md', 'provision export').replaceAll(/(provision apply)/g, '$1 --yes')
    await run(commands)
    await run('sh -n provision.sh && grep -q "etcdctl user add" provision.sh')
    // AGENT_CALICO_VERSION narrows what one version needs.
    await run(
      commands.replaceAll(/^calico-vault-agent.*$/gm, '') +
        'calico-vault-agent provision plan --nodes node1,node2 --detailed-exitcode',
    )
    const settings = commands.split('\n').filter((line) => line.startsWith('export '))
    const fresh = shellBlock('docs/etcd.md', '--defaults').replace('provision apply', 'provision apply --yes')
    await run([...settings, fresh].join('\n'))
    const made = await run(
      `etcdctl --endpoints ${etcd.endpoint} --cacert etcd-ca.pem --cert admin.pem --key admin-key.pem get --prefix /calico/resources/v3/projectcalico.org/ippools/ --keys-only`,
      { ETCDCTL_API: '3' },
    )
    expect(made.stdout).toContain('default-ipv4-ippool')
  }, 120_000)

  it('README.md: two variables are enough, where the manifests put token and volume', async () => {
    const certs = join(directory, 'calico-secrets')
    const tokenFile = join(directory, 'token')
    mkdirSync(certs)
    const pod = { namespace, serviceAccount: 'calico-node', pod: 'calico-node-x' }
    writeFileSync(tokenFile, await requestToken(kube, { ...pod, audiences: ['vault-calico'] }))
    // What stands in the pod by itself: the volumes, and the CA of a Vault that has a private one.
    const volumes = {
      AGENT_DIR: certs,
      AGENT_AUTH_TOKEN_FILE: tokenFile,
      AGENT_ETCD_CA_FILE: join(directory, 'etcd-ca.pem'),
      VAULT_CACERT: join(directory, 'vault-ca.pem'),
    }
    const command = shellBlock('README.md', 'NODE_NAME=node1 node /app/main.js').trim()
    await run(`${command} init`, volumes)
    expect(published('calico-secrets/etcd-cert').subject).toBe('CN=calico-node:node1')
    const read = (name: string): string => readFileSync(join(certs, name), 'utf8')
    const identity = { endpoint: etcd.endpoint, ca: read('etcd-ca'), cert: read('etcd-cert'), key: read('etcd-key') }
    const put = (key: string) => etcdPut(identity, `/calico/felix/v2/no-region/host/${key}/status`, 'x')
    expect(await put('node1')).toMatchObject({ ok: true })
    expect(await put('node2')).toMatchObject({ ok: false })
  }, 60_000)

  it("install.md: an administrator's certificate, where etcd's servers have a CA of their own", async () => {
    writeFileSync(join(directory, '.vault-token'), vault.rootToken, { mode: 0o600 })
    const { stdout } = await run(shellBlock('docs/install.md', 'AGENT_COMPONENT=calicoctl'))
    expect(stdout).toContain('etcd lets calicoctl in')
    const { validToDate, validFromDate } = published('.calico-certs/etcd-cert')
    expect(validToDate.getTime() - validFromDate.getTime()).toBeLessThan(2 * 3_600_000)
  }, 60_000)

  it('ca-rotation.md, step 1: a CA that lives, beside the one that signs', async () => {
    const env = {
      VAULT_ADDR: vault.address,
      VAULT_CACERT: join(directory, 'vault-ca.pem'),
      VAULT_TOKEN: vault.rootToken,
    }
    const before = await api.root('GET', 'pki/config/issuers')
    await run(shellBlock('docs/ca-rotation.md', 'pki/root/rotate/internal'), env)
    const { body } = await api.root('GET', 'pki/issuer/second')
    const ca = new X509Certificate(String(body.data?.['certificate']))
    expect(ca.subject).toBe('CN=Calico etcd clients 2')
    expect(ca.validToDate.getTime() - Date.now()).toBeGreaterThan(9 * yearMs)
    expect(ca.publicKey.asymmetricKeyType).toBe('ec')
    const after = await api.root('GET', 'pki/config/issuers')
    expect(after.body.data?.['default']).toBe(before.body.data?.['default'])
    const fingerprint = shellBlock('docs/ca-rotation.md', 'openssl x509 -noout -fingerprint').replace('NAME', 'second')
    expect((await run(fingerprint, env)).stdout).toBe(
      `${ca.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()}\n`,
    )
  }, 60_000)

  it('what the documents name in sentences, on the same servers', async () => {
    await api.root('POST', 'sys/auth/approle', { type: 'approle' })
    await api.root('POST', 'auth/approle/role/node1', { token_policies: ['calico-node'] })
    const { body } = await api.root('GET', 'pki/config/issuers')
    const env = {
      VAULT_ADDR: vault.address,
      VAULT_CACERT: join(directory, 'vault-ca.pem'),
      VAULT_TOKEN: vault.rootToken,
      CURL_CA_BUNDLE: join(directory, 'vault-ca.pem'),
      ETCDCTL_API: '3',
      ETCDCTL_ENDPOINTS: etcd.endpoint,
      ETCDCTL_CACERT: join(directory, 'etcd-ca.pem'),
      ETCDCTL_CERT: join(directory, 'admin.pem'),
      ETCDCTL_KEY: join(directory, 'admin-key.pem'),
    }
    const places = {
      'VAULT_ADDR/': `${vault.address}/`,
      'https://vault…:8200': vault.address,
      'HOST:2379': new URL(etcd.endpoint).host,
      'MEMBER:2379': new URL(etcd.endpoint).host,
    }
    await runNamed('quick-path', async (commands, given) => {
      const now = Object.fromEntries(
        Object.entries({ ...places, ...given }).map(([there, value]) => [
          there,
          value === 'FIRST' ? String(body.data?.['default']) : value,
        ]),
      )
      return await runCommands(commands, { directory, env: { ...environment(), ...env }, here: now })
    })
    const after = await api.root('GET', 'pki/config/issuers')
    expect(after.body.data?.['default']).toBe(body.data?.['default'])
  }, 180_000)
})

/** What the reader has installed: the program by both names, Vault's CLI, kubectl for this cluster, and calicoctl. */
function makePrograms(directory: string, { url }: KubeApiserver): void {
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const node = process.execPath
  const main = join(root, 'dist/main.js')
  const kubectl = `--server=${url} --certificate-authority=${directory}/ca.crt --client-certificate=${directory}/kube-cert.pem --client-key=${directory}/kube-key.pem`
  const programs: Readonly<Record<string, string>> = {
    npx: `[ "$1" = calico-vault-agent ]; shift; exec '${node}' '${main}' "$@"`,
    'calico-vault-agent': `exec '${node}' '${main}' "$@"`,
    node: `[ "$1" = /app/main.js ]; shift; exec '${node}' '${main}' "$@"`,
    vault: `exec '${node}' '${join(root, 'test/support/vault-cli.ts')}' "$@"`,
    kubectl: `exec /usr/bin/env PATH="\${PATH#*:}" kubectl ${kubectl} "$@"`,
    // It is in no registry of ours: what it needs is that etcd lets its certificate in.
    calicoctl: `ETCDCTL_API=3 etcdctl --endpoints "$ETCD_ENDPOINTS" --cacert "$ETCD_CA_CERT_FILE" --cert "$ETCD_CERT_FILE" --key "$ETCD_KEY_FILE" get --prefix /calico/resources/v3/projectcalico.org/nodes/ >&2 && echo etcd lets calicoctl in`,
  }
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/bash\nset -e\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
}

/**
 * Owns the development Vault as a process of its own, for the demo, the bench and trying things out. Prints one JSON line when it
 * is ready; stops on SIGTERM, SIGINT and at the end of standard input. A line `requests` on standard input is answered by a line
 * with the number of requests so far.
 *
 *     npx node test/support/dev-vault/main.ts --recommended --jwt-dir /tmp/jwt --nodes node1,node2 --ttl 1m
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createCsr } from '../csr.ts'
import { createServiceAccountIssuer } from '../service-account.ts'
import { vaultApi } from '../vault-api.ts'
import { setUpVault } from '../vault-setup.ts'
import { type DevVault, startDevVault } from './dev-vault.ts'

const { values } = parseArgs({
  options: {
    /** PKI, policies and the jwt auth method, as docs recommend. */
    recommended: { type: 'boolean', default: false },
    /** Gets `{node}.jwt` for every node. */
    'jwt-dir': { type: 'string' },
    nodes: { type: 'string', default: 'node1,node2' },
    /** Of certificates. */
    ttl: { type: 'string', default: '24h' },
    'not-before-duration': { type: 'string', default: '30s' },
    port: { type: 'string', default: '0' },
    flavour: { type: 'string', default: 'vault' },
  },
})

const vault = await startDevVault({
  port: Number(values.port),
  flavour: values.flavour === 'openbao' ? 'openbao' : 'vault',
})
const extra = values.recommended ? await applyRecommended(vault, values.nodes.split(','), values['jwt-dir']) : {}
const { address, caFile, rootToken, unsealKey } = vault
write({ address, caFile, rootToken, unsealKey, ...extra })

const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  if (line === 'requests') write({ requests: vault.requests.all.length })
})
input.on('close', stop)
process.on('SIGTERM', stop)
process.on('SIGINT', stop)

async function applyRecommended(
  target: DevVault,
  nodes: readonly string[],
  jwtDir: string | undefined,
): Promise<object> {
  const accounts = createServiceAccountIssuer()
  const { issuer, publicKeyPem } = accounts
  await setUpVault(target, {
    ttl: values.ttl,
    notBeforeDuration: values['not-before-duration'],
    jwt: { issuer, publicKeyPem },
  })
  await warmUp(target, accounts.token({ node: 'warm-up' }))
  target.requests.clear()
  if (jwtDir === undefined) return {}
  await mkdir(jwtDir, { recursive: true })
  for (const node of nodes) {
    await writeFile(join(jwtDir, `${node}.jwt`), accounts.token({ node, expiresInSeconds: 86_400 }), { mode: 0o600 })
  }
  return { jwtDir, nodes }
}

/** Measurements shall meet compiled code, as they do at a real Vault. */
async function warmUp(target: DevVault, jwt: string): Promise<void> {
  const api = vaultApi(target)
  const { csrPem: csr } = await createCsr()
  for (let round = 0; round < 10; round++) {
    const { body } = await api.call('POST', 'auth/jwt/login', { role: 'calico-node', jwt })
    const parameters = { csr, common_name: 'calico-node:warm-up', exclude_cn_from_sans: true }
    await api.call('POST', 'pki/sign/calico-node', parameters, { token: body.auth?.client_token ?? '' })
  }
  api.close()
}

function write(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

function stop(): void {
  void vault.stop().then(() => process.exit(0))
}

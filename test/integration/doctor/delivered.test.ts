/** `doctor` where somebody else makes the certificates: no Vault, and none of its checks. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createCa } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp-dir.ts'

interface Told {
  readonly check: string
  readonly status: string
  readonly reason?: string
}

async function doctor(commonName: string): Promise<{ code: number | null; checks: Told[] }> {
  const root = tempDir()
  const [delivered, directory] = [join(root, 'delivered'), join(root, 'target')]
  for (const each of [delivered, directory]) mkdirSync(each)
  const ca = await createCa()
  const leaf = await ca.issue({ commonName, client: true })
  writeFileSync(join(delivered, 'etcd-ca'), ca.certificatePem)
  writeFileSync(join(delivered, 'etcd-cert'), leaf.certificatePem)
  writeFileSync(join(delivered, 'etcd-key'), leaf.privateKeyPem)
  const env = { NODE_NAME: 'node1', AGENT_SOURCE: 'file', AGENT_SOURCE_DIR: delivered, AGENT_DIR: directory }
  const ended = spawnSync(process.execPath, ['dist/main.js', 'doctor', '--output', 'json'], {
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 15_000,
  })
  return { code: ended.status, checks: (JSON.parse(ended.stdout) as { checks: Told[] }).checks }
}

it('what is delivered is judged by the gate, and Vault is not asked for', async () => {
  const { code, checks } = await doctor('calico-node:node1')
  expect(checks.filter(({ status }) => status === 'failure')).toEqual([])
  expect(code).toBeLessThan(2)
  expect(checks.find(({ check }) => check === 'delivered')).toMatchObject({ status: 'ok' })
  expect(
    checks.map(({ check }) => check).filter((check) => /vault|login|credential|clock|signing/.test(check)),
  ).toEqual([])
})

it('a certificate for somebody else is a failure', async () => {
  const { code, checks } = await doctor('calico-node:node2')
  expect(code).toBe(69)
  expect(checks.filter(({ status }) => status === 'failure')).toMatchObject([
    { check: 'delivered', reason: 'wrong-name' },
  ])
})

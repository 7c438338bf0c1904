/** What people and programs see of `rotate-ca`: plan, status, JSON, questions, exit codes; and a real Prometheus as the witness. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Ended, runCommand } from '../../support/command.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { serveMetrics } from '../../support/metrics-server.ts'
import { startPrometheus } from '../../support/prometheus.ts'
import { hasPromtool } from '../../support/promtool.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { missingTerminal, runOnTerminal } from '../../support/terminal.ts'
import { type Lab, withLab } from '../agent/lab.ts'
import { addMount, issuersOf, promptFleet } from './rig.ts'

const noTerminal = missingTerminal === undefined ? '' : ` (left out: ${missingTerminal})`
const hasPrometheus = hasPromtool && spawnSync('prometheus', ['--version']).status === 0
const noPrometheus = hasPrometheus ? '' : ' (left out: no prometheus)'
const wanted = ['--issuer', 'second', '--common-name', 'CA second', '--ttl', '8760h'] as const

/** What the agent of a node that does everything at once serves; `more` labels, as a scrape adds them. */
async function page(lab: Lab, mount: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const { agents } = await promptFleet(lab, mount)
  const labelled = (name: string, labels: object, value: number): string => {
    const pairs = Object.entries({ ...labels, ...more }).map(([key, text]) => `${key}=${JSON.stringify(text)}`)
    return `calico_vault_agent_${name}{${pairs.join(',')}} ${value}`
  }
  const lines = agents.flatMap(({ node, targets }) => [
    labelled('node_info', { node }, 1),
    ...targets.flatMap(({ component, ca, caCount }) => [
      labelled('ca_changed_since_start', { component }, 1),
      labelled('ca_certificates', { component }, caCount),
      ...ca.map(({ fingerprint, subject, inUseUntilMs }) =>
        labelled('ca_in_use_until_timestamp_seconds', { component, fingerprint, subject }, inUseUntilMs / 1000),
      ),
    ]),
  ])
  return `${lines.join('\n')}\n`
}

const cases = (lab: () => Lab): void => {
  const env = (token = lab().vault.rootToken) => ({
    VAULT_ADDR: lab().vault.address,
    VAULT_CACERT: lab().vault.caFile,
    VAULT_TOKEN: token,
  })

  /** A mount with the issuer `first`, an agent, and the command for both. */
  async function onMount(mount: string) {
    await addMount(lab(), mount)
    const { url } = await serveMetrics(async () => await page(lab(), mount))
    const where = ['--mount', mount, '--agents', url]
    const run = async (action: string, ...args: readonly string[]): Promise<Ended> =>
      await runCommand(['rotate-ca', action, ...where, ...args], { env: env() })
    return { where, run }
  }

  it('goes by the commands of the documentation, to and fro', async () => {
    const { api, setup } = lab()
    await api.root('POST', `pki/issuer/${setup.rootIssuerId}`, { issuer_name: 'first' })
    await api.root('POST', 'sys/mounts/pki/tune', { max_lease_ttl: '87600h' })
    const { url } = await serveMetrics(async () => await page(lab(), 'pki'))
    const text = readFileSync('docs/ca-rotation.md', 'utf8')
    const [status = '', begin = '', end = ''] = [...text.matchAll(/^calico-vault-agent (rotate-ca .*)$/gm)].map(
      ([, command]) => command,
    )
    const back = /\*\*Back\*\*.*: `(rotate-ca .*?)`/.exec(text)?.[1] ?? ''
    const run = async (command: string, ...more: readonly string[]): Promise<Ended> => {
      const words = [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
      const argv = words.map((word) => (word === '$agents' ? url : word))
      return await runCommand([...argv, ...more], { env: env() })
    }
    expect((await run(status)).stdout).toContain('done make')
    const codes = []
    for (const command of [begin, back, begin, end]) codes.push((await run(command, '--yes')).code)
    // Both times it ends where etcd's trust must be said.
    expect(codes).toEqual([69, 0, 69, 0])
    expect(await issuersOf(lab())).toEqual({ names: ['second'], signs: 'second' })
  })

  it('shows each step, makes it, and ends with the code that scripts know', async () => {
    const { run } = await onMount('pki-codes')
    const plan = await run('plan', ...wanted, '--detailed-exitcode')
    expect({ code: plan.code, stderr: plan.stderr }).toEqual({ code: 2, stderr: '' })
    expect(plan.stdout).toBe(`+ root CA second in pki-codes/
    + common name: CA second
    + lifetime: 365d
    + key: ec-p256, made and kept in Vault
    + it signs nothing yet

Plan: 1 to add, 0 to change, 0 to take away.
`)
    expect((await run('apply', ...wanted)).code).toBe(64)
    const done = await run('apply', ...wanted, '--yes', '--etcd-trusts-new', '--retire', 'first', '-o', 'json')
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' })
    const made = done.stdout.split(/^(?=\{)/m).map((text) => JSON.parse(text) as Record<string, unknown>)
    expect(made).toMatchObject([
      { step: 'switch', changes: [{ do: 'make', path: 'pki-codes/root/rotate/internal' }] },
      { step: 'retire', changes: [{ do: 'switch', path: 'pki-codes/config/issuers' }] },
      { step: 'done', changes: [{ do: 'retire' }] },
      { step: 'done', inStep: true, changes: [], agents: 1, silent: [] },
    ])
  })

  it('tells where it is, for people and for programs', async () => {
    const { run } = await onMount('pki-status')
    expect((await run('apply', ...wanted, '--yes', '--nodes', 'node1')).code).toBe(69)
    const { code, stdout } = await run('status', '--issuer', 'second', '--nodes', 'node1,node2', '--without', 'node2')
    expect(code).toBe(0)
    expect(stdout).toMatch(/ {2}done spread .*\n {2}now {2}switch .*\n {2}then renew /)
    expect(stdout).toMatch(/\n {2}first {2}[0-9a-f]{16} {2}CA first, until \d{4}-\d\d-\d\d, signs\n/)
    expect(stdout).toMatch(/\n {2}node1 calico-node: .*first until 2/)
    expect(stdout).toContain('Note: node2 is left out: no agent says that it is there.')
    const { stdout: json } = await run('status', '-o', 'json')
    expect(JSON.parse(json)).toMatchObject({ step: 'retire', agents: { agents: [{ node: 'node1' }] } })
  })

  it('is told by options where Vault is, and they win over the variables', async () => {
    const { where } = await onMount('pki-options')
    const { address, caFile, rootToken } = lab().vault
    const options = ['--address', address, '--ca-cert', caFile]
    const { code, stdout, stderr } = await runCommand(['rotate-ca', 'status', ...where, ...options], {
      env: { VAULT_ADDR: 'https://127.0.0.1:1', VAULT_TOKEN: rootToken },
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('CA rotation in pki-options/')
  })

  it('says which rights a token lacks', async () => {
    const { where } = await onMount('pki-denied')
    const { api } = lab()
    await api.root('POST', 'sys/policies/acl/little', {
      policy: 'path "pki-denied/issuers" { capabilities = ["list"] }',
    })
    const { body } = await api.root('POST', 'auth/token/create', { policies: ['little'] })
    const { code, stderr } = await runCommand(['rotate-ca', 'plan', ...where, ...wanted], {
      env: env(body.auth?.client_token),
    })
    expect(code).toBe(69)
    expect(stderr).toContain('the token may not rotate the CA (rotation-denied)')
    expect(stderr).toContain('it lacks read, create, update on pki-denied/config/issuers')
    expect(stderr).toContain('it lacks read, delete on pki-denied/issuer/+')
  })

  it('refuses a mount that would cut the lifetime', async () => {
    const { run } = await onMount('pki-capped')
    const { code, stdout, stderr } = await run('apply', ...wanted, '--ttl', '200000h', '--yes')
    expect({ code, isSaid: stderr.includes('vault secrets tune -max-lease-ttl=720000000s pki-capped/') }).toEqual({
      code: 69,
      isSaid: true,
    })
    expect(stdout).toContain('Nothing can be applied until this is solved.')
    expect((await issuersOf(lab(), 'pki-capped')).names).toEqual(['first'])
  })

  it.skipIf(noTerminal !== '')(`asks before each step on a terminal${noTerminal}`, async () => {
    const { where } = await onMount('pki-asked')
    const apply = async (answer: string, ...args: readonly string[]): Promise<string> =>
      await runOnTerminal(
        ['rotate-ca', 'apply', ...where, '--issuer', 'second', '--common-name', 'Second', ...args],
        env(),
        answer,
      )
    expect(await apply('no\n')).toMatch(/Nothing was changed\.\s+exit 1$/)
    expect(await apply('yes\n')).toMatch(/etcd must trust second[\s\S]*exit 69$/)
    expect(await apply('no\n', '--etcd-trusts-new')).toMatch(/default issuer of pki-asked\/[\s\S]*exit 1$/)
    expect(await issuersOf(lab(), 'pki-asked')).toEqual({ names: ['first', 'second'], signs: 'first' })
  })

  describe.skipIf(!hasPrometheus)(`by Prometheus${noPrometheus}`, () => {
    it('only the agents of this cluster count, and a node that is not there stands in the way', async () => {
      await addMount(lab(), 'pki-prom')
      const labels = { job: 'calico', namespace: 'kube-system' }
      const own = await page(lab(), 'pki-prom', { ...labels, cluster: 'a', instance: '10.0.0.1:9879', pod: 'x' })
      const other = `calico_vault_agent_ca_changed_since_start{component="calico-node",cluster="b",instance="10.9.0.1:9879"} 0\n`
      const atSeconds = Math.floor(Date.now() / 1000) - 5
      const file = join(mkdtempSync(join(tempDir(), 'metrics-')), 'metrics.txt')
      writeFileSync(file, `${(own + other).replaceAll('\n', ` ${atSeconds}\n`)}# EOF\n`)
      const prometheus = await startPrometheus(file, 3600)
      try {
        const plan = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
          const argv = [
            'rotate-ca',
            'plan',
            '--mount',
            'pki-prom',
            ...wanted,
            '--prometheus',
            prometheus.url,
            '-o',
            'json',
          ]
          const { stdout, stderr } = await runCommand([...argv, ...args], { env: env() })
          expect(stderr).toBe('')
          return JSON.parse(stdout) as Record<string, unknown>
        }
        const selector = ['--selector', 'cluster="a"'] as const
        expect(await plan('--nodes', 'node1', ...selector)).toMatchObject({ agents: 1, refusals: [], step: 'make' })
        expect(await plan('--nodes', 'node1,node2', ...selector)).toMatchObject({
          silent: [{ name: 'node2' }],
          refusals: [expect.stringContaining('node2 is unaccounted for')],
          changes: [],
        })
        expect(await plan('--count', '3')).toMatchObject({
          agents: 2,
          refusals: [expect.stringContaining('one of 3 agents is unaccounted for: only 2 answer')],
        })
        const switched = ['--issuer', 'first', '--retire', 'none', '--nodes', 'node1'] as const
        expect(await plan(...switched, ...selector)).toMatchObject({ step: 'done' })
      } finally {
        await prometheus.stop()
      }
    })
  })
}

// What it makes of a real one: end-to-end.test.ts and kill.test.ts.
describe('rotate-ca', { timeout: 300_000 }, () => {
  withLab(startDevVault, {}, cases)
})

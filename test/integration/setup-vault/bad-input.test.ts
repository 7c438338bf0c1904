/** What is wrong with the arguments, the file, the environment or Vault: one clear message each, and nothing changed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../support/child-server.ts'
import { runCommand } from '../../support/command.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createOperator, describeSetup, jwtYaml, planOf } from './rig.ts'

const good = 'cluster: prod\nkubernetes: { issuer: x, publicKeyFiles: [sa.pub] }\n'

async function runOn(text: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const directory = tempDir()
  const file = join(directory, 'setup.yaml')
  writeFileSync(file, text)
  const ended = await runCommand(['setup-vault', ...args, '--file', file], { env })
  return { ...ended, stderr: ended.stderr.replaceAll(directory, '.') }
}

describe('without Vault', () => {
  it.each([
    [[], 'setup-vault needs one of plan, apply, export'],
    [['destroy'], "unknown command 'destroy'"],
    [['plan', 'now'], "too many arguments for 'plan'. Expected 0 arguments but got 1."],
    [['plan', '--yes'], "unknown option '--yes'"],
    [['export', '--adopt'], "unknown option '--adopt'"],
    [['plan', '--format', 'hcl'], "unknown option '--format'"],
    [
      ['export', '--format', 'pulumi'],
      "option '--format <format>' argument 'pulumi' is invalid. Allowed choices are shell, terraform, hcl, json, env, operator.",
    ],
    [
      ['plan', '--output', 'yaml'],
      "option '-o, --output <format>' argument 'yaml' is invalid. Allowed choices are text, json.",
    ],
    [['plan', '--file', ''], '--file is empty'],
    [['plan', '--fil', 'x'], "unknown option '--fil' (Did you mean --file?)"],
    [['apply'], 'setup-vault apply needs --yes outside a terminal'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await runCommand(['setup-vault', ...args], {})
    const [action = ''] = args
    const command = ['plan', 'apply', 'export'].includes(action) ? `setup-vault ${action}` : 'setup-vault'
    expect({ code, stderr }).toEqual({
      code: 64,
      stderr: `calico-vault-agent: ${message}; see calico-vault-agent ${command} --help\n`,
    })
  })

  it('no file', async () => {
    const { code, stderr } = await runCommand(['setup-vault', 'plan', '--file', '/nowhere.yaml'], {})
    expect(code).toBe(78)
    expect(stderr).toContain("--file: ENOENT: no such file or directory, stat '/nowhere.yaml'; docs/vault.md shows one")
  })

  it('a file with mistakes: line and column of each', async () => {
    const { code, stderr } = await runOn('cluster: Prod\nkubernets: {}\nauth: { metod: jwt }\npki: { ttl: soon }\n', [
      'export',
    ])
    expect(code).toBe(78)
    expect(stderr.split('\n').filter((line) => line.startsWith('  - '))).toEqual([
      '  - ./setup.yaml:1:1 has no kubernetes: the API server that service-account tokens are checked with',
      `  - ./setup.yaml:1:10 cluster is "Prod"; use lower-case letters, digits, '-', '.' and '_' (at most 63)`,
      '  - ./setup.yaml:2:1 the file has no "kubernets"; did you mean kubernetes?',
      '  - ./setup.yaml:3:9 auth has no "metod"; did you mean method?',
      '  - ./setup.yaml:4:13 ttl must be a duration such as 24h, 15m or seconds',
    ])
  })

  it('no token and no address', async () => {
    const { code, stderr } = await runOn(good, ['plan'])
    expect(code).toBe(78)
    expect(stderr).toContain('VAULT_ADDR is required')
    expect(stderr).toContain("VAULT_TOKEN is required: an administrator's token")
  })

  it('files that are named and are not there, or hold something else', async () => {
    const env = { VAULT_ADDR: 'https://127.0.0.1:1', VAULT_TOKEN: 'x' }
    expect((await runOn(good, ['plan'], env)).stderr).toContain(
      "setup.yaml: sa.pub: ENOENT: no such file or directory, stat './sa.pub'",
    )
    const directory = tempDir()
    writeFileSync(join(directory, 'sa.pub'), '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
    writeFileSync(join(directory, 'setup.yaml'), good)
    const { stderr } = await runCommand(['setup-vault', 'plan', '--file', join(directory, 'setup.yaml')], { env })
    expect(stderr).toContain('sa.pub: this is a private key; name the public one (sa.pub)')
    expect(stderr).not.toContain('AAAA')
  })
})

describeSetup('setup-vault that cannot', (rig) => {
  it('where nobody listens', async () => {
    const operator = createOperator(rig(), jwtYaml('bad', rig()))
    const VAULT_ADDR = `https://127.0.0.1:${await freePort()}`
    expect(await operator.runWith({ env: { VAULT_ADDR } }, 'plan')).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('Vault cannot be reached (vault-unreachable)') as string,
    })
  })

  it('with a token that Vault does not know', async () => {
    const operator = createOperator(rig(), jwtYaml('bad', rig()))
    const { code, stderr } = await operator.runWith({ env: { VAULT_TOKEN: 'hvs.nobody' } }, 'plan')
    expect(code).toBe(69)
    expect(stderr).toContain('(setup-denied)')
    expect(stderr).toContain('The token is unknown, expired, or of another namespace.')
    expect(stderr).not.toContain('hvs.nobody')
  })

  it('with the token of somebody who may do nothing of it: everything that is missing is listed', async () => {
    const { api } = rig()
    const { body } = await api.root('POST', 'auth/token/create', { policies: ['default'] })
    const operator = createOperator(rig(), jwtYaml('bad', rig()))
    const env = { VAULT_TOKEN: String(body.auth?.client_token) }
    const { stderr } = await operator.runWith({ env }, 'apply', '--yes')
    expect(stderr).toContain('  it lacks read on sys/mounts\n')
    expect(stderr).toContain('  it lacks create, update, sudo on sys/auth/jwt-bad\n')
    expect(stderr).toContain('  it lacks create, read, update on pki-bad/roles/calico-node\n')
  })

  it('where a secrets engine of another type has the name', async () => {
    await rig().api.root('POST', 'sys/mounts/pki-kv', { type: 'kv' })
    const operator = createOperator(rig(), jwtYaml('kv', rig()))
    expect((await planOf(operator, '--adopt')).refusals).toEqual([
      'pki-kv/ is of the type kv, not pki; name another mount',
    ])
  })

  it('where an existing mount is not there', async () => {
    const operator = createOperator(rig(), jwtYaml('none', rig()).replace('pki-none', 'pki-none, ca: existing'))
    expect((await planOf(operator)).refusals).toEqual([
      expect.stringContaining('there is no pki-none/, and pki.ca is existing'),
    ])
  })

  it('where Vault refuses a value: what it says, and the next apply goes on from there', async () => {
    const yaml =
      'cluster: refuses\nauth: { mount: jwt-refuses }\npki: { mount: pki-refuses }\nkubernetes: { issuer: x, url: "https://127.0.0.1:1" }\n'
    const operator = createOperator(rig(), yaml)
    const { code, stderr } = await operator.run('apply', '--yes')
    expect(code).toBe(69)
    expect(stderr).toContain('Vault refuses what the setup asks for (setup-refused)')
    expect(stderr).toMatch(/auth\/jwt-refuses\/config: 400 error checking jwks URL/)
    writeFileSync(operator.file, jwtYaml('refuses', rig()))
    expect(await operator.run('apply', '--yes')).toMatchObject({ code: 0, stderr: '' })
  })

  it('while Vault is sealed', async () => {
    const { vault } = rig()
    const operator = createOperator(rig(), jwtYaml('sealed', rig()))
    await vault.seal()
    try {
      expect(await operator.run('plan')).toMatchObject({
        code: 69,
        stderr: expect.stringContaining('(vault-sealed)') as string,
      })
    } finally {
      await vault.unseal()
    }
  })
})

/** The program as a shell sees it: arguments in; output, messages and exit code out. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../../agent/cli/exit-codes.ts'
import { commandHelp, generalHelp } from '../../../agent/cli/help.ts'
import { tempDir } from '../../support/temp-dir.ts'

const root = join(import.meta.dirname, '../../..')

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const command = [join(root, 'agent/cli/cli.ts'), ...args]
  return new Promise((resolve) => {
    const child = execFile(join(root, 'node_modules/.bin/node'), command, { env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    })
  })
}

describe('help and version need no configuration', () => {
  test.each([
    [['--help'], generalHelp()],
    [['-h'], generalHelp()],
    [['run', '--help'], commandHelp.run.text],
    [['init', '--help'], commandHelp.init.text],
    [['init', '--wait', 'nonsense', '-h'], commandHelp.init.text],
    [['started', '--help'], commandHelp.started.text],
  ])('%j', async (args, text) => {
    expect(await run(args)).toEqual({ code: exitCodes.ok, stdout: `${text}\n`, stderr: '' })
  })

  test.each([[['--version']], [['run', '--version']], [['init', '--version']]])('%j', async (args) => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    const { code, stdout, stderr } = await run(args)
    expect({ code, stderr }).toEqual({ code: exitCodes.ok, stderr: '' })
    expect(stdout).toMatch(
      new RegExp(`^calico-vault-agent ${version.replaceAll('.', '\\.')} \\(node 24\\.\\d+\\.\\d+\\)\\n$`),
    )
  })
})

describe('wrong arguments end with the usage code and one line', () => {
  test.each([
    [['deploy'], 'there is no command deploy'],
    [['constructor'], 'there is no command constructor'],
    [['run', 'twice'], 'run takes no twice'],
    [['--verbose'], 'run takes no --verbose'],
    [['run', '--wait', '5s'], 'run takes no --wait'],
    [['init', '--waite', '5s'], 'init takes no --waite'],
    [['init', '5s'], 'init takes no 5s'],
    [['started', '5s'], 'started takes no 5s'],
    [['init', '--wait'], '--wait takes one duration such as 30s'],
    [['init', '--wait='], '--wait takes one duration such as 30s'],
    [['init', '--wait', 'soon'], '--wait takes one duration such as 30s'],
    [['init', '--wait', '5s', '6s'], '--wait takes one duration such as 30s'],
  ])('%j', async (args, message) => {
    expect(await run(args)).toEqual({
      code: exitCodes.usage,
      stdout: '',
      stderr: `calico-vault-agent: ${message}; see calico-vault-agent --help\n`,
    })
  })
})

describe('a wrong configuration ends with its code and every problem', () => {
  test.each(['run', 'init'])('%s', async (command) => {
    const { code, stdout, stderr } = await run([command], { NODE_NAME: 'node1', AGENT_TLL: '1h', AGENT_TTL: 'x' })
    expect({ code, stdout }).toEqual({ code: exitCodes.config, stdout: '' })
    const lines = stderr.trimEnd().split('\n')
    expect(lines[0]).toBe('calico-vault-agent: the configuration has 3 problems:')
    expect(lines.slice(1, 4).map((line) => line.split(' ', 4)[3])).toEqual(
      expect.arrayContaining(['AGENT_TLL', 'AGENT_TTL', 'VAULT_ADDR']),
    )
    expect(lines[4]).toBe('  All variables: calico-vault-agent --help')
  })

  test('a single one is not several', async () => {
    const { stderr } = await run([], { NODE_NAME: 'node1' })
    expect(stderr).toMatch(/^calico-vault-agent: the configuration has a problem:\n {2}- VAULT_ADDR is required/)
  })
})

describe('init', () => {
  test.each([['--wait', '200ms'], ['--wait=200ms']])(
    'ends as unavailable where there is no certificate in time: %s',
    async (...args) => {
      const directory = tempDir()
      const { code, stderr } = await run(['init', ...args], {
        VAULT_ADDR: 'http://127.0.0.1:1',
        NODE_NAME: 'node1',
        AGENT_DIR: directory,
        AGENT_AUTH_METHOD: 'token',
        VAULT_TOKEN: 'hvs.secret',
      })
      expect(code).toBe(exitCodes.unavailable)
      expect(stderr).toMatch(
        /^calico-vault-agent: Vault cannot be reached \(vault-unreachable\)\n {2}.*127\.0\.0\.1:1.*\n {2}Check VAULT_ADDR.*\n {2}More: docs\/runbook\.md#vault-unreachable\n$/,
      )
      expect(stderr).not.toContain('hvs.secret')
    },
  )
})

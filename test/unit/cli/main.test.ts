/** The program as a shell sees it: arguments in; output, messages and exit code out. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../../agent/cli/exit.ts'
import { tempDir } from '../../support/temp-dir.ts'

const root = join(import.meta.dirname, '../../..')
/** Node compiles the sources for the first start and not for each. */
const compiled = { NODE_COMPILE_CACHE: tempDir(afterAll) }

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const command = [join(root, 'agent/cli/cli.ts'), ...args]
  return new Promise((resolve) => {
    const child = execFile(
      join(root, 'node_modules/.bin/node'),
      command,
      { env: { ...compiled, ...env } },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr })
      },
    )
  })
}

describe('help and version need no configuration', () => {
  test.each([
    [['--help'], /^Usage: calico-vault-agent \[options\][^]*VAULT_ADDR/],
    [['-h'], /^Usage: calico-vault-agent \[options\]/],
    [['help'], /^Usage: calico-vault-agent \[options\]/],
    [['run', '--help'], /^Usage: calico-vault-agent run /],
    [['init', '--help'], /^Usage: calico-vault-agent init /],
    [['init', '--wait', 'nonsense', '-h'], /^Usage: calico-vault-agent init /],
    [['provision', 'plan', '--nodes', 'a,,b', '--naming', 'x', '--help'], /^Usage: calico-vault-agent provision plan /],
    [['started', '--help'], /^Usage: calico-vault-agent started /],
    [['help', 'provision'], /^Usage: calico-vault-agent provision /],
    [['help', 'provision', '--help'], /^Usage: calico-vault-agent provision \[/],
  ])('%j', async (args, text) => {
    expect(await run(args)).toEqual({ code: exitCodes.ok, stdout: expect.stringMatching(text) as string, stderr: '' })
  })

  test.each([[['version']], [['--version']], [['run', '--version']], [['init', '--version']]])('%j', async (args) => {
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
    [['deploy'], "unknown command 'deploy'; see calico-vault-agent --help"],
    [['docter'], "unknown command 'docter' (Did you mean doctor?); see calico-vault-agent --help"],
    [['constructor'], "unknown command 'constructor'; see calico-vault-agent --help"],
    [
      ['run', 'twice'],
      "too many arguments for 'run'. Expected 0 arguments but got 1.; see calico-vault-agent run --help",
    ],
    [['--verbose'], "unknown option '--verbose'; see calico-vault-agent --help"],
    [['run', '--wait', '5s'], "unknown option '--wait'; see calico-vault-agent run --help"],
    [['init', '--waite', '5s'], "unknown option '--waite' (Did you mean --wait?); see calico-vault-agent init --help"],
    [['init', '--wait'], "option '--wait <duration>' argument missing; see calico-vault-agent init --help"],
    [['init', '--wait='], '--wait takes one duration such as 30s; see calico-vault-agent init --help'],
    [
      ['started', '5s'],
      "too many arguments for 'started'. Expected 0 arguments but got 1.; see calico-vault-agent started --help",
    ],
    [['init', '--wait', 'soon'], '--wait takes one duration such as 30s; see calico-vault-agent init --help'],
  ])('%j', async (args, message) => {
    expect(await run(args)).toEqual({
      code: exitCodes.usage,
      stdout: '',
      stderr: `calico-vault-agent: ${message}\n`,
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

test('a file of nodes that is empty is refused, also beside --nodes: with --prune it would take the users of all its nodes', async () => {
  const file = join(tempDir(), 'nodes.txt')
  writeFileSync(file, '# being written\n')
  const { code, stderr } = await run(['provision', 'export', '--nodes', 'node1', '--nodes-file', file])
  expect({ code, stderr }).toMatchObject({
    code: 78,
    stderr: expect.stringContaining(`${file} names no node`) as string,
  })
})

describe('init', () => {
  test.each([['--wait', '3s'], ['--wait=3s']])(
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

test.each([['--help'], ['provision', 'export', '--nodes', 'a'], ['complete', '--', '']])(
  'nobody reads what is printed (`%s … | head`): a quiet end, with the status of a closed pipe',
  async (...args) => {
    const child = spawn(join(root, 'node_modules/.bin/node'), [join(root, 'agent/cli/cli.ts'), ...args], {
      env: compiled,
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
  },
)

import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createProgram, parseCommandLine } from '../../../agent/cli/command-line.ts'
import { candidates, completionScript, shells } from '../../../agent/cli/completion.ts'
import { tempDir } from '../../support/temp-dir.ts'

const program = createProgram(() => {})

describe('what the last word can become', () => {
  it.each([
    [['prov'], ['provision']],
    [['provision', 'p'], ['plan']],
    [['provision', 'plan', '--na'], ['--naming']],
    [
      ['provision', 'plan', '--naming', ''],
      ['node', 'component'],
    ],
    [['setup-vault', 'export', '--format', 'h'], ['hcl']],
    [['doctor', '-o', 'j'], ['json']],
    [['provision', 'plan', '--nodes-file', ''], []],
    [['completion', 'f'], ['fish']],
    [['run', '--'], ['--help']],
    [['nonsense', ''], candidates(program, [''])],
  ])('%j: %j', (words, found) => {
    expect(candidates(program, words)).toEqual(found)
  })

  it('is every command at first', () => {
    const found = candidates(program, [''])
    for (const { name } of program.commands.map((each) => ({ name: each.name() }))) expect(found).toContain(name)
  })
})

describe('the script', () => {
  it.each(shells)('of %s asks the program', (shell) => {
    const task = parseCommandLine(['completion', shell])
    expect(task).toEqual({ command: 'print', text: completionScript(shell) })
    expect(completionScript(shell)).toContain('complete --')
  })

  it('of another shell there is not', () => {
    expect(() => completionScript('csh')).toThrow('completion is for bash, zsh, fish, not "csh"')
    expect(() => completionScript('constructor')).toThrow('not "constructor"')
  })

  it('works in bash', () => {
    const directory = tempDir()
    const command = join(directory, 'calico-vault-agent')
    const main = join(import.meta.dirname, '../../../agent/cli/cli.ts')
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`)
    chmodSync(command, 0o755)
    const script = `${completionScript('bash')}
      COMP_WORDS=(calico-vault-agent setup-vault export --format '')
      COMP_CWORD=4
      _calico_vault_agent
      echo "\${COMPREPLY[@]}"`
    const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}` }
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { env, encoding: 'utf8' })
    expect({ stdout, stderr }).toEqual({ stdout: 'shell terraform hcl json env operator\n', stderr: '' })
  })
})

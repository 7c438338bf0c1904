import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createProgram, parseCommandLine } from '../../../agent/cli/command-line.ts'
import { exitCodes } from '../../../agent/cli/exit.ts'
import type { Variable } from '../../../agent/config/variable-row.ts'
import { variables } from '../../../agent/config/variables.ts'

function helpOf(...words: string[]): string {
  const task = parseCommandLine([...words, '--help'])
  return task.command === 'print' ? task.text : ''
}

/** Such as `provision plan`. */
function pathsOf(command: Command, path: readonly string[]): string[][] {
  return command.commands.flatMap((each) => {
    const below = [...path, each.name()]
    return [below, ...pathsOf(each, below)]
  })
}

const general = helpOf()
const lines = general.split('\n')
const paths = pathsOf(
  createProgram(() => {}),
  [],
)

/** What was wrapped, on one line again. */
const joined = general.replaceAll(/\n {8,}/g, ' ').split('\n')

describe('the general help', () => {
  test.each(Object.entries<Variable>(variables))('names %s once, with meaning and default', (name, variable) => {
    const found = joined.filter((line) => line.startsWith(`  ${name} `))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(` ${variable.meaning}`)
    const shown = variable.defaultText ?? variable.default
    expect(found[0]?.endsWith(shown === undefined || shown === '' ? variable.meaning : ` [${shown}]`)).toBe(true)
  })

  test('names every command with its summary', () => {
    for (const command of createProgram(() => {}).commands) {
      expect(command.summary()).not.toBe('')
      const found = joined.filter((line) => line.startsWith(`  ${command.name()} `))
      expect(found.map((line) => line.endsWith(command.summary()))).toEqual([true])
    }
  })

  test('groups the variables, and no group is empty', () => {
    for (const title of ['Vault:', 'Login:', 'Certificate:', 'Files:', 'Operation:']) {
      const at = lines.indexOf(title)
      expect(at).toBeGreaterThan(0)
      expect(lines[at + 1]).toMatch(/^ {2}[A-Z]/)
    }
  })

  test('puts the variables of a concern where one looks for them', () => {
    const groupOf = (name: string): string | undefined => {
      const at = lines.findIndex((line) => line.startsWith(`  ${name} `))
      return lines.slice(0, at).findLast((line) => /^[A-Z]\w+:$/.test(line))
    }
    const examples = ['VAULT_ADDR', 'AGENT_AUTH_METHOD', 'NODE_NAME', 'AGENT_TTL', 'AGENT_DIR', 'AGENT_LISTEN']
    expect(examples.map(groupOf)).toEqual(['Vault:', 'Login:', 'Certificate:', 'Certificate:', 'Files:', 'Operation:'])
  })

  test('says every exit code', () => {
    const text = general.slice(general.indexOf('Exit codes:'))
    for (const code of Object.values(exitCodes)) expect(text).toMatch(new RegExp(`\\b${code}\\b`))
  })
})

describe.each([[], ...paths].map((path) => [path.join(' '), path] as const))('the help of %j', (name, path) => {
  const text = helpOf(...path)

  test('is as it was read last (vitest run --update=all FILE writes it anew)', async () => {
    await expect(text.replaceAll(process.versions.node, 'NODE')).toMatchFileSnapshot(
      `../../data/help/${['calico-vault-agent', ...path].join('-')}.txt`,
    )
  })

  test('begins with its usage', () => {
    expect(text).toMatch(new RegExp(`^Usage: calico-vault-agent ${name}`))
  })

  test('is the same by `help`, where a command is one word', () => {
    if (path.length === 1) expect(parseCommandLine(['help', ...path])).toEqual({ command: 'print', text })
  })

  test('fits 80 columns; only one long word may stand out', () => {
    const long = text.split('\n').filter((line) => line.length > 80)
    expect(long.filter((line) => line.trim().includes(' '))).toEqual([])
  })

  test('has examples that are commands with flags and variables that exist', () => {
    const section = /^Examples:\n((?: {2}.*\n?)+)/m.exec(text)?.[1] ?? ''
    const commands = section.replaceAll(/\\\n +/g, '').split('\n')
    for (const line of commands.filter((each) => each.includes('calico-vault-agent') && !each.includes('kubectl'))) {
      const [, settings = '', rest = ''] = /^ {2}(.*?)calico-vault-agent(.*?)( [>|].*)?$/.exec(line) ?? []
      for (const [, variable = ''] of settings.matchAll(/([A-Z_]+)=\S+ /g)) expect(variables).toHaveProperty(variable)
      const words = [...rest.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
      expect(parseCommandLine(words)).not.toMatchObject({ command: 'print' })
    }
  })
})

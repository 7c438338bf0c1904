import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../../agent/cli/exit-codes.ts'
import { commandHelp, generalHelp } from '../../../agent/cli/help.ts'
import { type Variable, variables } from '../../../agent/config/variables.ts'

const lines = generalHelp().split('\n')

describe('the general help', () => {
  test.each(Object.entries<Variable>(variables))('names %s once, with meaning and default', (name, variable) => {
    const found = lines.filter((line) => line.startsWith(`  ${name} `))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(` ${variable.meaning}`)
    const shown = variable.defaultText ?? variable.default
    expect(found[0]?.endsWith(shown === undefined || shown === '' ? variable.meaning : ` [${shown}]`)).toBe(true)
  })

  test.each(Object.entries(commandHelp))('names the command %s with its summary', (name, { summary }) => {
    expect(lines).toContain(`  ${name.padEnd(12)}${summary}`)
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
    const text = lines.find((line) => line.startsWith('Exit codes:')) ?? ''
    for (const code of Object.values(exitCodes)) expect(text).toMatch(new RegExp(`\\b${code}\\b`))
  })

  test('fits a terminal', () => {
    expect(lines.filter((line) => line.length > 150)).toEqual([])
  })
})

describe('the examples', () => {
  const texts = {
    general: generalHelp(),
    ...Object.fromEntries(Object.entries(commandHelp).map(([name, { text }]) => [name, text])),
  }

  test.each(Object.entries(texts))('of %s are commands with flags and variables that exist', (_name, text) => {
    const section = /^Examples:\n((?: {2}.*\n?)+)/m.exec(text)?.[1] ?? ''
    const commands = section.split('\n').filter((line) => line.includes('calico-vault-agent'))
    expect(commands.length).toBeGreaterThan(0)
    for (const line of commands) {
      const [, settings = '', name = 'run', rest = ''] =
        /^ {2}(.*?)calico-vault-agent(?: (\w\S*))?(.*)$/.exec(line) ?? []
      for (const [, variable = ''] of settings.matchAll(/([A-Z_]+)=\S+ /g)) expect(variables).toHaveProperty(variable)
      const help = Object.entries(commandHelp).find(([each]) => each === name)?.[1].text
      expect(help).toBeDefined()
      for (const [flag] of rest.matchAll(/--[\w-]+/g)) expect(help).toMatch(new RegExp(`^ {2}${flag} `, 'm'))
    }
  })
})

test.each(Object.entries(commandHelp))('the help of %s begins with its usage', (name, { text }) => {
  expect(text).toMatch(new RegExp(`^Usage: calico-vault-agent .*${name}`))
})

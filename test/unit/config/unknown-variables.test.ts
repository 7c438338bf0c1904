import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import { choices, type Variable } from '../../../agent/config/variable-row.ts'
import { variables } from '../../../agent/config/variables.ts'
import { parseWatchConfig } from '../../../agent/config/watch.ts'
import { ConfigError } from '../../../agent/core/errors.ts'
import { smallest } from './environment.ts'

function problemsIn(parse: () => unknown): readonly string[] {
  try {
    parse()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const table: [string, Variable][] = Object.entries(variables)

/** Every variable with every choice that does not read it. */
const pointless = table.flatMap(([name, { onlyFor = {} }]) =>
  Object.entries(onlyFor).flatMap(([selector, fitting]) =>
    choices[selector as keyof typeof choices]
      .filter((choice) => !(fitting as readonly string[]).includes(choice))
      .map((choice) => [name, selector, choice] as const),
  ),
)

describe('a variable that would have no effect is refused', () => {
  test.each(pointless)('%s with %s=%s', (name, selector, choice) => {
    const problems = problemsIn(() => parseConfig({ ...smallest, [selector]: choice, [name]: 'x' }, 'host1'))
    expect(problems).toContainEqual(
      expect.stringMatching(`^${name} has no effect with ${selector}=${choice}; it belongs to `),
    )
  })

  test.each(table.filter(([, { needs }]) => needs !== undefined))('%s alone', (name, { needs }) => {
    expect(problemsIn(() => parseConfig({ ...smallest, [name]: 'x' }, 'host1'))).toContain(
      `${name} has no effect without ${needs}`,
    )
  })

  test.each(table.filter(([name, { onlyFor }]) => onlyFor !== undefined && name.startsWith('AGENT_')))(
    '%s in provision watch without an agent',
    (name) => {
      const env = { ETCD_ENDPOINTS: 'https://etcd:2379', [name]: 'x' }
      expect(problemsIn(() => parseWatchConfig(env, 'host1', false))).toContain(
        `${name} has no effect without VAULT_ADDR: no agent runs here`,
      )
    },
  )
})

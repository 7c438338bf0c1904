/** On a terminal `apply` asks, and only "yes" is a yes. */
import { expect, it } from 'vitest'
import { missingTerminal, runOnTerminal } from '../../support/terminal.ts'
import { createOperator, describeSetup, jwtYaml, planOf } from './rig.ts'

const leftOut = missingTerminal === undefined ? '' : ` (left out: ${missingTerminal})`

describeSetup('apply on a terminal', (rig) => {
  it.skipIf(leftOut !== '')(
    `shows the plan in color, does it after a yes alone, and then asks nothing${leftOut}`,
    async () => {
      const operator = createOperator(rig(), jwtYaml('terminal', rig()))
      const apply = async (answer: string): Promise<string> =>
        await runOnTerminal(['setup-vault', 'apply', '--file', operator.file], operator.env, answer)
      for (const answer of ['\n', 'y\n', 'no\n']) {
        const text = await apply(answer)
        expect(text).toContain('\u001b[32m+\u001b[0m auth method jwt-terminal/')
        expect(text).toMatch(/Nothing was changed\.\s+exit 1$/)
      }
      expect((await planOf(operator)).changes).toHaveLength(15)
      expect(await apply('yes\n')).toContain('Done: 15 changes.')
      expect(await apply('no\n')).not.toContain('to continue:')
    },
  )
})

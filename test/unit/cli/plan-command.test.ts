import { describe, expect, it } from 'vitest'
import { type Look, planOrApply } from '../../../agent/cli/plan-command.ts'
import type { Plan, Wording } from '../../../agent/engine/bring-in-step.ts'

const wording: Wording<string> = {
  describe: (change) => ({ sign: '+', subject: change, subjectSign: '+', lines: [], done: `made ${change}` }),
  signs: ['+'],
  json: (changes) => ({ changes }),
}
const empty: Plan<string> = { phases: [], refusals: [], notes: [] }
const differs: Plan<string> = { ...empty, phases: [['a'], ['b']] }
const options = { action: 'plan', output: 'text', yes: true, detailedExitcode: false } as const

/** The code, and what was printed. */
async function run(plan: Plan<string>, more: Partial<Parameters<typeof planOrApply>[1]> = {}) {
  let text = ''
  const target = {
    wording,
    look: async (): Promise<Look<string>> => ({ plan }),
    async apply(seen: Look<string>, done: (change: string) => void) {
      for (const change of seen.plan.phases.flat()) done(change)
      return { after: { plan: empty } }
    },
  }
  const print = (part: string): unknown => (text += part)
  const code = await planOrApply<string, Look<string>>(target, { ...options, ...more }, print)
  return { code, text }
}

describe('a plan', () => {
  it('ends with 0, whatever differs', async () => {
    expect((await run(differs)).code).toBe(0)
    expect((await run({ ...empty, refusals: ['no'] })).code).toBe(0)
  })

  it('ends with 2 by --detailed-exitcode, if something differs, is refused or waited for', async () => {
    const plans = [differs, { ...empty, refusals: ['no'] }, { ...empty, waitsFor: 'a certificate' }, empty]
    const ends = await Promise.all(plans.map(async (plan) => (await run(plan, { detailedExitcode: true })).code))
    expect(ends).toEqual([2, 2, 2, 0])
  })
})

describe('an apply', () => {
  it('shows the plan, each change, and how many there were', async () => {
    const { code, text } = await run(differs, { action: 'apply' })
    expect({ code, text }).toEqual({
      code: 0,
      text: '+ a\n+ b\n\nPlan: 2 to add.\n+ made a\n+ made b\nDone: 2 changes.\n',
    })
  })

  it('as JSON tells what was made, and that all is in step', async () => {
    const { text } = await run(differs, { action: 'apply', output: 'json' })
    expect(JSON.parse(text)).toEqual({ inStep: true, changes: ['a', 'b'], refusals: [], notes: [] })
  })
})

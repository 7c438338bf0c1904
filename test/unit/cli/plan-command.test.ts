import { describe, expect, it } from 'vitest'
import { type PlanView, planOrApply, planText } from '../../../agent/cli/plan-command.ts'
import type { Plan, Wording } from '../../../agent/operator/engine/bring-in-step.ts'

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
    examine: async (): Promise<PlanView<string>> => ({ plan }),
    async apply(seen: PlanView<string>, done: (change: string) => void) {
      for (const change of seen.plan.phases.flat()) done(change)
      return { after: { plan: empty } }
    },
  }
  const print = (part: string): unknown => (text += part)
  const code = await planOrApply<string, PlanView<string>>(target, { ...options, ...more }, print)
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

describe('the text of a plan', () => {
  /** `user a:NODE`, with a line that names the node. */
  const perNode = (line: (node: string) => string): Wording<string> => ({
    ...wording,
    describe: (node) => ({
      sign: '+',
      subject: `user a:${node}`,
      subjectSign: '+',
      node,
      lines: [{ sign: '+', text: line(node) }],
      done: '',
    }),
  })
  const plain = (text: string): string => text
  const textOf = (of: Wording<string>, nodes: readonly string[]): string =>
    planText(of, { plan: { ...empty, phases: [nodes] } }, plain)
  const nodes = (count: number): string[] => Array.from({ length: count }, (_, index) => `node${index + 1}`)

  it('shows once what is the same for every node', () => {
    expect(
      textOf(
        perNode((node) => `grant /nodes/${node}`),
        nodes(40),
      ),
    ).toBe('+ user a:node1\n    + grant /nodes/node1\n    (39 more nodes like node1)\n\nPlan: 40 to add.\n')
  })

  it('shows every node that differs from the others', () => {
    const text = textOf(
      perNode((node) => (node === 'node7' ? 'grant /' : `grant /nodes/${node}`)),
      nodes(40),
    )
    expect(text).toContain('(38 more nodes like node1)')
    expect(text).toContain('+ user a:node7\n    + grant /\n')
  })

  it('shows a few nodes one by one', () => {
    const text = textOf(
      perNode(() => 'grant /'),
      nodes(3),
    )
    expect(text).not.toContain('like')
    for (const node of nodes(3)) expect(text).toContain(`+ user a:${node}\n`)
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

/** Owns `plan` and `apply` of a server: look, show, ask, do, and say what was done, as text in the way of terraform or as JSON. */
import { plural } from '../core/text.ts'
import { type ChangeText, changesOf, type Plan, type Sign, type Wording } from '../operator/engine/bring-in-step.ts'
import { exitCodes } from './exit.ts'
import type { PlanOptions } from './options.ts'
import { agrees, type Paint, painter } from './terminal.ts'

/** What was seen of the server, and what is to become of it. */
export interface PlanView<Change> {
  readonly plan: Plan<Change>
  /** Notes for people; programs find the same among the facts. */
  readonly remarks?: readonly string[]
  readonly facts?: Readonly<Record<string, unknown>>
  /** What `apply` does besides the changes: as a question asks for it, and as it is told afterwards. */
  readonly also?: { readonly ask: string; readonly done: string } | undefined
}

/** What differs between the servers. */
export interface PlanTarget<Change, Seen extends PlanView<Change>> {
  examine(): Promise<Seen>
  /** `done` is called after each change. `request` is handed to whoever applies, to have it signed; `hint` says what comes next. */
  apply(
    seen: Seen,
    done: (change: Change) => void,
  ): Promise<{ readonly after: PlanView<Change>; readonly request?: string; readonly hint?: string }>
  readonly wording: Wording<Change>
}

export interface PlanCommandOptions extends PlanOptions {
  readonly action: 'plan' | 'apply'
}

export async function planOrApply<Change, Seen extends PlanView<Change>>(
  target: PlanTarget<Change, Seen>,
  options: PlanCommandOptions,
  print = (text: string): unknown => process.stdout.write(text),
): Promise<number> {
  const printJson = (value: object): unknown => print(`${JSON.stringify(value, null, 2)}\n`)
  const { wording } = target
  const paint = painter(process.stdout.isTTY, process.env)
  const isText = options.output === 'text'
  const seen = await target.examine()
  if (isText) print(planText(wording, seen, paint))
  if (options.action === 'plan') {
    if (!isText) printJson(planJson(wording, seen))
    return options.detailedExitcode && !isInStep(seen.plan) ? exitCodes.differences : exitCodes.ok
  }
  if (!options.yes && !(await isAgreed(seen))) {
    print('Nothing was changed.\n')
    return exitCodes.declined
  }
  const made: Change[] = []
  const { after, request, hint } = await target.apply(seen, (change) => {
    made.push(change)
    if (isText) print(changeLine(wording.describe(change), paint))
  })
  if (isText) {
    const also = seen.also === undefined ? '' : `, and ${seen.also.done}`
    print(paint(`Done: ${plural(made.length, 'change')}${also}.\n`, 'bold'))
    for (const text of [request, hint]) if (text !== undefined) print(`${text}\n`)
  } else {
    printJson({ ...planJson(wording, after, made), ...(request === undefined ? {} : { request }) })
  }
  return exitCodes.ok
}

/** If the plan is refused or nothing differs, there is nothing to agree to. */
async function isAgreed({ plan, also }: PlanView<unknown>): Promise<boolean> {
  if (plan.refusals.length > 0 || (plan.phases.length === 0 && also === undefined)) return true
  return await agrees(also === undefined ? 'Apply this?' : `Apply this and ${also.ask}?`)
}

export function planText<Change>(
  wording: Pick<Wording<Change>, 'describe' | 'signs'>,
  { plan, remarks = [] }: PlanView<Change>,
  paint: Paint,
): string {
  const texts = changesOf(plan).map((change) => wording.describe(change))
  const blocks = [...Map.groupBy(texts, (text) => text.subject).values()].map((changes) => blockOf(changes, paint))
  const lines = [...Map.groupBy(blocks, alike).values()].flatMap((same) => {
    const [first] = same
    if (first === undefined || same.length <= mostShown) return same.flatMap((block) => block.lines)
    return [...first.lines, `    (${same.length - 1} more nodes like ${first.node})`]
  })
  if (lines.length > 0) lines.push('')
  lines.push(
    ...plan.refusals.map((text) => `${paint('Refused:', '-')} ${text}.`),
    ...[...plan.notes, ...remarks].map((text) => `${paint('Note:', '!')} ${text}.`),
    paint(summary(plan, texts, wording.signs), 'bold'),
  )
  return `${lines.join('\n')}\n`
}

/** More nodes than these are not told one by one. */
const mostShown = 3

interface Block {
  readonly node: string | undefined
  readonly lines: readonly string[]
}

/** What happens to one subject. */
function blockOf(changes: readonly ChangeText[], paint: Paint): Block {
  const [{ subject, node } = { subject: '', node: undefined }] = changes
  const sign = changes.map(({ subjectSign }) => subjectSign).find((each) => each !== '~') ?? '~'
  const details = changes
    .flatMap((change) => change.lines)
    .map((each) => `    ${paint(each.sign, each.sign)} ${each.text}`)
  return { node, lines: [`${paint(sign, sign)} ${subject}`, ...details] }
}

/** The same for two blocks that differ in nothing but the name of the node. */
function alike({ node, lines }: Block): string {
  const text = lines.join('\n')
  return node === undefined ? text : text.replaceAll(node, '\n\n')
}

const verbs = { '+': 'to add', '~': 'to change', '-': 'to take away' } as const

function summary({ refusals, waitsFor }: Plan<unknown>, texts: readonly ChangeText[], signs: readonly Sign[]): string {
  if (refusals.length > 0) return 'Nothing can be applied until this is solved.'
  if (texts.length === 0) return waitsFor === undefined ? 'In step: nothing to do.' : `In step, but for ${waitsFor}.`
  const count = (sign: Sign): number => texts.filter((text) => text.sign === sign).length
  return `Plan: ${signs.map((sign) => `${count(sign)} ${verbs[sign]}`).join(', ')}.`
}

export function isInStep({ phases, refusals, waitsFor }: Plan<unknown>): boolean {
  return phases.length + refusals.length === 0 && waitsFor === undefined
}

/** @param made the changes that were made, if there are such; else those of the plan */
export function planJson<Change>(
  wording: Pick<Wording<Change>, 'json'>,
  { plan, facts }: PlanView<Change>,
  made?: readonly Change[],
): object {
  const lists = made === undefined ? wording.json(changesOf(plan), 'planned') : wording.json(made, 'made')
  return { inStep: isInStep(plan), ...facts, ...lists, refusals: plan.refusals, notes: plan.notes }
}

export function changeLine({ sign, done }: ChangeText, paint: Paint): string {
  return `${paint(sign, sign)} ${done}\n`
}

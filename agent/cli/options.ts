/** Owns the options that several commands have, and how the text behind an option is read. */
import { text as readAll } from 'node:stream/consumers'
import { type Command, Option } from 'commander'
import { messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { checkNodeNames, mostNodesBytes, parseNodeNames } from '../operator/etcd/nodes.ts'
import { UsageError } from './exit.ts'

/** What the text behind a flag means. @throws UsageError that names the flag */
export type Read<Value> = (text: string, flag: string) => Value

/** One option: how it is read if it has a value, and the text that stands for it if it is missing, which the help shows. */
export type OptionRow = Option | readonly [flags: string, description: string, read?: Read<unknown>, preset?: string]

export function addOptions(command: Command, rows: readonly OptionRow[]): Command {
  for (const row of rows) command.addOption(row instanceof Option ? row : optionOf(row))
  return command
}

/** Options that only some actions of a command have. */
export function only(isThere: boolean, ...rows: readonly OptionRow[]): readonly OptionRow[] {
  return isThere ? rows : []
}

function optionOf([flags, description, read, preset]: Exclude<OptionRow, Option>): Option {
  const option = new Option(flags, description)
  if (read === undefined) return option
  const parse = (text: string): unknown => read(text, option.long ?? flags)
  option.argParser(parse)
  return preset === undefined ? option : option.default(parse(preset), JSON.stringify(preset))
}

/** An option with one of a few words. The first is the default. */
export function choice(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words).default(words[0])
}

/** @throws UsageError */
export function filled(text: string, flag: string): string {
  if (text.trim() === '') throw new UsageError(`${flag} is empty`)
  return text
}

/** Names with commas between them, each once. @throws UsageError */
export function listOf(text: string, flag: string): string[] {
  const items = text.split(',').map((each) => each.trim())
  if (items.includes('')) throw new UsageError(`${flag} has an empty name in ${JSON.stringify(text)}`)
  return [...new Set(items)]
}

/** Names of nodes. @throws UsageError */
export function nodesOf(text: string, flag: string): readonly string[] {
  const { names, problems } = checkNodeNames(listOf(text, flag))
  if (problems.length > 0) throw new UsageError(`${flag}: ${problems.join('; ')}`)
  return names
}

export const nodesFileOption: OptionRow = [
  '--nodes-file <file>',
  'the nodes, one name a line; - is standard input',
  filled,
]

/** The nodes of --nodes and --nodes-file. What is wrong with the file becomes a problem. */
export async function readNodes(
  { nodes, nodesFile }: { readonly nodes: readonly string[]; readonly nodesFile: string | undefined },
  problems: string[],
): Promise<readonly string[]> {
  if (nodesFile === undefined) return nodes
  const problem = (text: string): unknown => problems.push(`--nodes-file: ${text}`)
  try {
    const inFile = parseNodeNames(
      nodesFile === '-' ? await readAll(process.stdin) : readSmallFile(systemFiles, nodesFile, mostNodesBytes),
    )
    // A file that could not be written in time looks like this: with --prune it would take the users of all its nodes.
    if (inFile.names.length === 0) problem(`${nodesFile} names no node`)
    // Again with both: two names may collide only together.
    const all = checkNodeNames([...nodes, ...inFile.names])
    for (const each of all.problems) problem(each)
    return all.names
  } catch (error) {
    problem(messageOf(error))
    return []
  }
}

export interface OutputOptions {
  readonly output: 'text' | 'json'
}

/** Of every `plan` and `apply`. */
export interface PlanOptions extends OutputOptions {
  readonly yes: boolean
  /** A plan ends with 2 if something differs. */
  readonly detailedExitcode: boolean
}

/** Commander leaves out a switch that is not given. */
export const noPlanOptions: PlanOptions = { yes: false, detailedExitcode: false, output: 'text' }

export function planOptions(action: 'plan' | 'apply'): OptionRow[] {
  return [
    action === 'plan'
      ? ['--detailed-exitcode', 'end with 2 if something differs, else with 0']
      : ['--yes', 'do not ask; needed outside a terminal'],
    outputOption(),
  ]
}

export function outputOption(): Option {
  return choice('-o, --output <format>', 'for people or for programs', ['text', 'json'])
}

/**
 * Owns the commands of the documents as they are written: the fenced blocks, what is said of their tests, and running one in a shell
 * with the places of the document put in the place of the example's.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ended, runProgram } from './command.ts'

const root = join(import.meta.dirname, '../..')

export interface Block {
  readonly document: string
  readonly text: string
  /** `<!-- tested: FILE, FILE -->` in front of it. */
  readonly tested: readonly string[]
  /** `<!-- not run: WHY -->` in front of it. */
  readonly notRun: string | undefined
}

/** The blocks of shell commands of a document, in order. */
export function shellBlocks(document: string): Block[] {
  const text = readFileSync(join(root, document), 'utf8')
  return [...text.matchAll(/(?:<!-- (tested|not run): ([^>]*) -->\n)?```sh\n([^]*?)```/g)].map(
    ([, kind, said = '', commands = '']) => ({
      document,
      text: commands,
      tested: kind === 'tested' ? said.split(', ') : [],
      notRun: kind === 'not run' ? said : undefined,
    }),
  )
}

/** The one block that holds `part`. */
export function shellBlock(document: string, part: string): string {
  const [found, ...more] = shellBlocks(document).filter(({ text }) => text.includes(part))
  if (found === undefined || more.length > 0) throw new Error(`${document} has not one block with ${part}`)
  return found.text
}

/** Its lines, without comments: to be run one by one. */
export function commandsOf(block: string): string[] {
  return block
    .split('\n')
    .map((line) => line.replace(/(^|\s+)# .*/, ''))
    .filter((line) => line !== '')
}

/** What the documents name in sentences alone, in backticks, to be run with one of these programs: each once. */
export function namedCommands(programs: readonly string[]): string[] {
  const documents = ['README.md', ...documentFiles()]
  const lines = documents.flatMap(shellBlocks).flatMap(({ text }) => text.split('\n'))
  const found = documents.flatMap((document) => {
    const prose = readFileSync(join(root, document), 'utf8').replaceAll(/^```[^]*?^```/gm, '')
    return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, command = '']) => command)
  })
  const isOf = (command: string): boolean => programs.includes(command.split(' ', 1)[0] ?? '') && command.includes(' ')
  const isInBlock = (command: string): boolean => lines.some((line) => line.startsWith(command))
  return [...new Set(found.filter((command) => isOf(command) && !isInBlock(command)))].toSorted()
}

/** The pages of docs/. */
export function documentFiles(): string[] {
  return readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
}

/** The one fenced block of another language that holds `part`. */
export function fencedBlock(document: string, language: string, part: string): string {
  const blocks = readFileSync(join(root, document), 'utf8').split(`\`\`\`${language}\n`).slice(1)
  const [found, ...more] = blocks.map((each) => each.split('```', 1)[0] ?? '').filter((each) => each.includes(part))
  if (found === undefined || more.length > 0) throw new Error(`${document} has not one ${language} with ${part}`)
  return found
}

export interface Place {
  readonly directory: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What stands in the document, and what it is here. */
  readonly here: Readonly<Record<string, string>>
}

/** Runs the commands as they stand, until the first that fails. */
export async function runCommands(commands: string, { directory, env, here }: Place): Promise<Ended> {
  let script = commands
  for (const [there, value] of Object.entries(here)) script = script.replaceAll(there, value)
  if (script.includes('…')) throw new Error(`the reader has to fill in what no test knows:\n${script}`)
  // Debian's bash takes a socket at its standard input for a remote login, and reads a file that `-u` does not survive.
  return await runProgram('bash', ['--norc', '-euo', 'pipefail', '-c', script], { cwd: directory, env })
}

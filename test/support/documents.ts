/**
 * Owns the commands of the documents as they are written: the fenced blocks, what is said of their tests, and running one in a shell
 * with the places of the document put in the place of the example's.
 */
import { readFileSync } from 'node:fs'
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
  return await runProgram('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory, env })
}

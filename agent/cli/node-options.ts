/** Owns naming nodes on the command line, for `provision` and `rotate-ca`: --nodes and --nodes-file. */
import { text as readAll } from 'node:stream/consumers'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { checkNodeNames } from '../operator/etcd/nodes.ts'
import { UsageError } from './failure.ts'
import { refuseUnasked } from './terminal.ts'

/** A list of more nodes than Kubernetes can have is no list of nodes. */
export const maxNodesFileBytes = 16 * 1024 * 1024

/** Names with commas between them, each once. @throws UsageError */
export function listOf(option: string, text: string | undefined): string[] {
  if (text === undefined) return []
  const items = text.split(',').map((each) => each.trim())
  if (items.includes('')) throw new UsageError(`--${option} has an empty name in ${JSON.stringify(text)}`)
  return [...new Set(items)]
}

/** The names of `--nodes`. @throws UsageError */
export function nodesOf(text: string | undefined): readonly string[] {
  const { names, problems } = checkNodeNames(listOf('nodes', text))
  if (problems[0] !== undefined) throw new UsageError(`--nodes: ${problems.join('; ')}`)
  return names
}

/** @param file of `--nodes-file`; `-` is standard input */
export async function readNodesText(file: string): Promise<string> {
  return file === '-' ? await readAll(process.stdin) : readSmallFile(systemFiles, file, maxNodesFileBytes)
}

/** Before anything is read. @throws UsageError if nobody can be asked */
export function refuseUnanswered(
  command: string,
  { yes, nodesFile }: { readonly yes: boolean; readonly nodesFile: string | undefined },
): void {
  refuseUnasked(command, yes)
  if (!yes && nodesFile === '-')
    throw new UsageError('--nodes-file - needs --yes: standard input cannot be asked any more')
}

/**
 * Owns the generations of a published directory: complete sets of files, each in a directory of its own that is named after
 * the time. A generation is whole and durable once `createGeneration` returns. The numbers are the steps of secret-dir.ts.
 */
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { isFileError } from '../../core/files.ts'
import { type Directory, removeTree } from './open-directory.ts'

export interface FileAttributes {
  /** Mode of key and certificate. */
  readonly mode: number
  /** Default: 0444. */
  readonly caMode?: number
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** Name, text and mode. */
export type FileContent = readonly [name: string, text: string, mode: number]

/** Our generations and the kubelet's alike; nothing else in the directory is ever removed. */
const namePattern = /^\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\w+$/

export const isGeneration = (name: string): boolean => namePattern.test(name)

export const generationsIn = (directory: Directory): string[] => directory.list().filter(isGeneration)

const mostInOneMillisecond = 100

/**
 * The generation before the published one, by name and so by time. What a crash left behind is newer than both, and only
 * counts if there is nothing else.
 */
export function generationBefore(generations: readonly string[], published: string | undefined): string | undefined {
  const others = generations.filter((name) => name !== published).toSorted()
  // After a clock that went back there is only one other: publishing keeps two.
  return others.findLast((name) => published !== undefined && name < published) ?? others.at(-1)
}

/** Makes a generation and answers its name. @throws the system error; nothing is left then */
export function createGeneration(
  directory: Directory,
  contents: Iterable<FileContent>,
  { uid, gid }: Pick<FileAttributes, 'uid' | 'gid'>,
  at: Date,
): string {
  const name = makeDirectory(directory, at) // 3
  try {
    directory.within(name, (generation) => {
      openToReaders(generation)
      for (const [file, text, mode] of contents) {
        generation.createFile(file, text, { mode, uid, gid, isDurable: true }) // 4
      }
      generation.sync() // 5
    })
  } catch (error) {
    removeGeneration(directory, name) // A full disk must not be made fuller by its failures.
    throw error
  }
  return name
}

/**
 * A generation that another user made, say, must not stand in the way of a new certificate: it stays.
 * @returns why it could not be removed
 */
export function removeGeneration(directory: Directory, name: string): AgentError | undefined {
  try {
    removeTree(directory, name)
    return undefined
  } catch (cause) {
    if (!isFileError(cause)) throw cause
    return new AgentError('generation-stuck', `${join(directory.path, name)}: ${messageOf(cause)}`, { cause })
  }
}

/** @returns why one of them could not be removed */
export function removeGenerationsBut(
  directory: Directory,
  generations: readonly string[],
  keep: readonly (string | undefined)[],
): AgentError | undefined {
  return generations
    .filter((name) => !keep.includes(name))
    .map((name) => removeGeneration(directory, name))
    .find((problem) => problem !== undefined)
}

function makeDirectory(directory: Directory, at: Date): string {
  const stamp = at.toISOString().replace(/[-:T]/g, '_').replace('Z', '')
  for (let count = 0; ; count++) {
    const name = `..${stamp}_${count}`
    try {
      directory.createDirectory(name)
      return name
    } catch (error) {
      if (systemCode(error) !== 'EEXIST' || count >= mostInOneMillisecond) throw error
    }
  }
}

/**
 * Readers have other uids, and the umask may have taken bits away. A directory that was made in one with setgid (a volume of a
 * pod with fsGroup) keeps setgid, and its files are the volume's group's; a chmod without need could take that from us.
 * @see https://man7.org/linux/man-pages/man2/chmod.2.html
 */
function openToReaders(generation: Directory): void {
  const { mode } = generation.stat()
  if ((mode & 0o777) !== 0o755) generation.chmod((mode & 0o7000) | 0o755)
}

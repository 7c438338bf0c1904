/**
 * Owns the generations of a published directory: complete sets of files, each in a directory of its own that is named after
 * the time. A generation is whole and durable once `create` returns. The numbers are the steps of secret-dir.ts.
 */
import { constants } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../errors.ts'
import { type Files, syncDirectory, withFile } from './files.ts'

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

export interface Generations {
  /**
   * The generation before the published one, by name and so by time. What a crash left behind is newer than both, and
   * only counts where there is nothing else.
   */
  before(published: string | undefined): string | undefined
  /** Makes a generation and answers its name. @throws the system error; nothing is left then */
  create(contents: Iterable<FileContent>, at: Date): string
  /** Removes one; what cannot be removed stays, and is told by `leftOver`. */
  remove(name: string): void
  /** What could not be removed when it was tried last. */
  leftOver(): AgentError | undefined
  removeAllBut(keep: readonly (string | undefined)[]): void
}

/** Our generations and the kubelet's alike; nothing else in the directory is ever removed. */
const namePattern = /^\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\w+$/

const mostInOneMillisecond = 100

export function openGenerations(
  path: string,
  { uid, gid }: Pick<FileAttributes, 'uid' | 'gid'>,
  files: Files,
): Generations {
  let leftOver: AgentError | undefined

  const list = (): string[] => files.readdirSync(path).filter((name) => namePattern.test(name))

  function makeDirectory(at: Date): string {
    const stamp = at.toISOString().replace(/[-:T]/g, '_').replace('Z', '')
    for (let count = 0; ; count++) {
      const name = `..${stamp}_${count}`
      try {
        files.mkdirSync(join(path, name), 0o755) // 3
        return name
      } catch (error) {
        if (systemCode(error) !== 'EEXIST' || count >= mostInOneMillisecond) throw error
      }
    }
  }

  function writeFile(file: string, text: string, mode: number): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    withFile(files, file, flags, 0o600, (descriptor) => {
      const bytes = Buffer.from(text)
      for (let written = 0; written < bytes.length; ) written += files.writeSync(descriptor, bytes, written)
      // 4. Owner before mode: chown clears bits.
      if (uid !== undefined || gid !== undefined) {
        const stat = files.fstatSync(descriptor)
        files.fchownSync(descriptor, uid ?? stat.uid, gid ?? stat.gid)
      }
      files.fchmodSync(descriptor, mode)
      files.fsyncSync(descriptor)
    })
  }

  /** A generation that another user made, say, must not stand in the way of a new certificate: it stays. */
  function remove(name: string): void {
    const generation = join(path, name)
    leftOver = undefined
    try {
      files.rmSync(generation, { recursive: true, force: true })
    } catch (cause) {
      // Not systemCode: some errors of rmSync (EBUSY) have an empty one.
      if (!(cause instanceof Error && 'code' in cause)) throw cause
      leftOver = new AgentError('generation-stuck', `${generation}: ${messageOf(cause)}`, { cause })
    }
  }

  return {
    remove,
    leftOver: () => leftOver,
    before(published) {
      const others = list()
        .filter((name) => name !== published)
        .toSorted()
      // After a clock that went back there is only one other: publishing keeps two.
      return others.findLast((name) => published !== undefined && name < published) ?? others.at(-1)
    },
    create(contents, at) {
      const name = makeDirectory(at)
      const directory = join(path, name)
      try {
        files.chmodSync(directory, 0o755) // The umask may have taken bits away; readers have other uids.
        for (const [file, text, mode] of contents) writeFile(join(directory, file), text, mode)
        syncDirectory(files, directory) // 5
      } catch (error) {
        remove(name) // A full disk must not be made fuller by its failures.
        throw error
      }
      return name
    },
    removeAllBut(keep) {
      for (const name of list()) if (!keep.includes(name)) remove(name)
    },
  }
}

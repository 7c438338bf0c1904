/**
 * Owns the record of when certificates were made, a small file that outlives the process: `..issued` beside the generations, or in
 * the node-local cache, which outlives the pod too. It is replaced by a rename, so that it is never half. Not synchronized to
 * the disk: it is there for processes that die, and a power failure is no loop.
 */
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { type Files, systemFiles, UnfitFileError } from '../../core/files.ts'
import { type Directory, withDirectory } from './open-directory.ts'

export interface IssuanceRecord {
  /** Milliseconds since the epoch; none if there is no record. @throws AgentError `issuance-record` */
  read(): number[]
  /** @throws AgentError `issuance-record` */
  write(issuedAtMs: readonly number[]): void
}

export const recordName = '..issued'

/** @param flags O_NOFOLLOW if the directory itself may be no link */
export function openIssuanceRecord(directory: string, files: Files = systemFiles, flags = 0): IssuanceRecord {
  const path = join(directory, recordName)
  const temporary = `${recordName}_tmp`

  function guarded<Result>(operate: () => Result): Result {
    try {
      return operate()
    } catch (cause) {
      if (systemCode(cause) === '' && !(cause instanceof UnfitFileError)) throw cause
      throw new AgentError('issuance-record', `${path}: ${messageOf(cause)}`, { cause })
    }
  }

  function readText(): string | undefined {
    try {
      return withDirectory(files, directory, (opened) => opened.readFile(recordName).text, flags)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  function write(opened: Directory, issuedAtMs: readonly number[]): void {
    if (issuedAtMs.length === 0) return opened.remove(recordName)
    // Whatever stands there is not opened: a crash may have left it, or somebody else has put it there.
    opened.remove(temporary)
    const text = `${JSON.stringify({ issuedAtMs })}\n`
    opened.createFile(temporary, text, (descriptor) => files.fchmodSync(descriptor, 0o600)) // Whatever the umask is.
    opened.rename(temporary, recordName)
  }

  return {
    read: () =>
      guarded(() => {
        const text = readText()
        return text === undefined ? [] : parseRecord(text, path)
      }),
    write: (issuedAtMs) => guarded(() => withDirectory(files, directory, (opened) => write(opened, issuedAtMs), flags)),
  }
}

function parseRecord(text: string, path: string): number[] {
  const times = timesIn(text)
  if (times === undefined) throw new AgentError('issuance-record', `${path} does not hold what the agent writes there`)
  return times
}

function timesIn(text: string): number[] | undefined {
  try {
    const { issuedAtMs } = (JSON.parse(text) ?? {}) as { issuedAtMs?: unknown }
    const isTime = (each: unknown): boolean => typeof each === 'number' && Number.isSafeInteger(each) && each >= 0
    return Array.isArray(issuedAtMs) && issuedAtMs.every(isTime) ? (issuedAtMs as number[]) : undefined
  } catch {
    return undefined
  }
}

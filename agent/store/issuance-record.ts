/**
 * Owns the record of when certificates were made, a small file that outlives the process: `..issued` beside the generations, or in
 * the node-local cache, which outlives the pod too. It is replaced by a rename, so that it is never half. Not synchronized to
 * the disk: it is there for processes that die, and a power failure is no loop.
 */
import { constants } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../errors.ts'
import { type Files, readSmallFile, systemFiles, UnfitFileError, withFile } from './files.ts'

export interface IssuanceRecord {
  /** Milliseconds since the epoch; none where there is no record. @throws AgentError `issuance-record` */
  read(): number[]
  /** @throws AgentError `issuance-record` */
  write(issuedAtMs: readonly number[]): void
}

export const recordName = '..issued'

export function openIssuanceRecord(directory: string, files: Files = systemFiles): IssuanceRecord {
  const path = join(directory, recordName)
  const temporary = `${path}_tmp`

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
      return readSmallFile(files, path)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  return {
    read: () =>
      guarded(() => {
        const text = readText()
        return text === undefined ? [] : parseRecord(text, path)
      }),
    write: (issuedAtMs) =>
      guarded(() => {
        if (issuedAtMs.length === 0) return files.rmSync(path, { force: true })
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
        const bytes = Buffer.from(`${JSON.stringify({ issuedAtMs })}\n`)
        withFile(files, temporary, flags, 0o600, (descriptor) => {
          files.fchmodSync(descriptor, 0o600) // Whatever the umask is.
          for (let written = 0; written < bytes.length; ) written += files.writeSync(descriptor, bytes, written)
        })
        files.renameSync(temporary, path)
      }),
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

/**
 * Owns the small files that the agent keeps for itself beside the generations, for the process that comes after it. Each is replaced
 * by a rename, so that it is never half. None is synchronized to the disk: they are there for processes that die, and that a power
 * failure may lose one is no loop.
 */
import { join } from 'node:path'
import { AgentError, messageOf } from '../../core/errors.ts'
import { type Files, isFileError, systemFiles, unlessCode } from '../../core/files.ts'
import { asObject, field, parseJson } from '../../core/json.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { type Directory, withDirectory } from './open-directory.ts'

export const issuedName = '..issued'
export const toldName = '..told'

/** When certificates were made. In the node-local cache it outlives the pod too. */
export interface IssuanceRecord {
  /** Milliseconds since the epoch; none if there is no record. @throws AgentError `issuance-record` */
  read(): number[]
  /** @throws AgentError `issuance-record` */
  write(issuedAtMs: readonly number[]): void
}

/** What is published, as far as it makes a difference to consumers. */
export interface Told {
  readonly serialNumber: string
  /** Fingerprints of the CA set, sorted. */
  readonly ca: string
}

/** What the consumers of a directory were told last: an agent that starts again tells what its predecessor could not. */
export interface ToldRecord {
  /** Undefined if there is none, or none that can be read. */
  read(): Told | undefined
  /** @throws AgentError */
  write(told: Told): void
}

/** @param flags O_NOFOLLOW if the directory itself may be no link */
export function openIssuanceRecord(directory: string, files: Files = systemFiles, flags = 0): IssuanceRecord {
  const file = openRecordFile({ directory, name: issuedName, reason: 'issuance-record', files, flags })
  return {
    read() {
      const text = file.read()
      const times = text === undefined ? [] : parseTimes(text)
      if (times !== undefined) return times
      throw new AgentError('issuance-record', `${file.path} does not hold what the agent writes there`)
    },
    write(issuedAtMs) {
      if (issuedAtMs.length === 0) file.remove()
      else file.write(`${JSON.stringify({ issuedAtMs })}\n`)
    },
  }
}

function parseTimes(text: string): number[] | undefined {
  const issuedAtMs = field(parseJson(text), 'issuedAtMs')
  const isTime = (each: unknown): boolean => typeof each === 'number' && Number.isSafeInteger(each) && each >= 0
  return Array.isArray(issuedAtMs) && issuedAtMs.every(isTime) ? (issuedAtMs as number[]) : undefined
}

export function openToldRecord(directory: string): ToldRecord {
  const file = openRecordFile({ directory, name: toldName, reason: 'on-publish-record', files: systemFiles, flags: 0 })
  return {
    read() {
      try {
        return parseTold(file.read() ?? '')
      } catch (error) {
        if (error instanceof AgentError) return undefined
        throw error
      }
    },
    write: (told) => file.write(`${JSON.stringify(told)}\n`),
  }
}

function parseTold(text: string): Told | undefined {
  const { serialNumber, ca } = asObject(parseJson(text)) ?? {}
  return typeof serialNumber === 'string' && typeof ca === 'string' ? { serialNumber, ca } : undefined
}

interface RecordFile {
  readonly directory: string
  readonly name: string
  /** Of a failure to read or write it. */
  readonly reason: ReasonCode
  readonly files: Files
  readonly flags: number
}

/** Every function throws AgentError with the reason of the record. */
function openRecordFile({ directory, name, reason, files, flags }: RecordFile) {
  const path = join(directory, name)
  const temporary = `${name}_tmp`

  const within = <Result>(use: (opened: Directory) => Result): Result => withDirectory(files, directory, use, flags)

  function guarded<Result>(operate: () => Result): Result {
    try {
      return operate()
    } catch (cause) {
      if (!isFileError(cause)) throw cause
      throw new AgentError(reason, `${path}: ${messageOf(cause)}`, { cause })
    }
  }

  function replace(text: string): void {
    within((opened) => {
      // Whatever stands there is not opened: a crash may have left it, or somebody else has put it there.
      opened.remove(temporary)
      opened.createFile(temporary, text, { mode: 0o600 })
      opened.rename(temporary, name)
    })
  }

  return {
    path,
    /** Undefined if there is none. */
    read: () => guarded(() => unlessCode(['ENOENT'], () => within((opened) => opened.readFile(name).text))),
    write: (text: string) => guarded(() => replace(text)),
    remove: () => guarded(() => within((opened) => opened.remove(name))),
  }
}

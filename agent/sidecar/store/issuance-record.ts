/**
 * Owns the record of when certificates were made, a small file that outlives the process: `..issued` beside the generations, or in
 * the node-local cache, which outlives the pod too. That a power failure may lose it is no loop.
 */
import { AgentError } from '../../core/errors.ts'
import { type Files, systemFiles } from '../../core/files.ts'
import { field, parseJson } from '../../core/json.ts'
import { openRecordFile } from './record-file.ts'

export interface IssuanceRecord {
  /** Milliseconds since the epoch; none if there is no record. @throws AgentError `issuance-record` */
  read(): number[]
  /** @throws AgentError `issuance-record` */
  write(issuedAtMs: readonly number[]): void
}

export const recordName = '..issued'

/** @param flags O_NOFOLLOW if the directory itself may be no link */
export function openIssuanceRecord(directory: string, files: Files = systemFiles, flags = 0): IssuanceRecord {
  const file = openRecordFile({ directory, name: recordName, reason: 'issuance-record', files, flags })
  return {
    read() {
      const text = file.read()
      return text === undefined ? [] : parseRecord(text, file.path)
    },
    write(issuedAtMs) {
      if (issuedAtMs.length === 0) file.remove()
      else file.write(`${JSON.stringify({ issuedAtMs })}\n`)
    },
  }
}

function parseRecord(text: string, path: string): number[] {
  const times = timesIn(text)
  if (times === undefined) throw new AgentError('issuance-record', `${path} does not hold what the agent writes there`)
  return times
}

function timesIn(text: string): number[] | undefined {
  const issuedAtMs = field(parseJson(text), 'issuedAtMs')
  const isTime = (each: unknown): boolean => typeof each === 'number' && Number.isSafeInteger(each) && each >= 0
  return Array.isArray(issuedAtMs) && issuedAtMs.every(isTime) ? (issuedAtMs as number[]) : undefined
}

/**
 * Owns the record of what the consumers of a directory were told last: `..told` beside the generations, so that an agent that starts
 * again tells what its predecessor could not. It lives as long as the directory does.
 */
import { AgentError } from '../../core/errors.ts'
import { asObject, parseJson } from '../../core/json.ts'
import { openRecordFile } from './record-file.ts'

/** What is published, as far as it makes a difference to consumers. */
export interface Told {
  readonly serialNumber: string
  /** Fingerprints of the CA set, sorted. */
  readonly ca: string
}

export interface ToldRecord {
  /** Undefined if there is none, or none that can be read. */
  read(): Told | undefined
  /** @throws AgentError */
  write(told: Told): void
}

export const toldName = '..told'

export function openToldRecord(directory: string): ToldRecord {
  const file = openRecordFile({ directory, name: toldName, reason: 'on-publish-record' })
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

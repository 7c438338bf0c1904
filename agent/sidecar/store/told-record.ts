/**
 * Owns the record of what the consumers of a directory were told last: `..told` beside the generations, so that an agent that starts
 * again tells what its predecessor could not. It lives as long as the directory does.
 */
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { systemFiles, UnfitFileError } from '../../core/files.ts'
import { asObject, parseJson } from '../../core/json.ts'
import { withDirectory } from './open-directory.ts'

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
const temporary = `${toldName}_tmp`

export function openToldRecord(directory: string): ToldRecord {
  return {
    read() {
      try {
        return parseTold(withDirectory(systemFiles, directory, (opened) => opened.readFile(toldName).text))
      } catch (error) {
        if (systemCode(error) === '' && !(error instanceof UnfitFileError)) throw error
        return undefined
      }
    },
    write(told) {
      try {
        withDirectory(systemFiles, directory, (opened) => {
          opened.remove(temporary)
          opened.createFile(temporary, `${JSON.stringify(told)}\n`, (file) => systemFiles.fchmodSync(file, 0o600))
          opened.rename(temporary, toldName)
        })
      } catch (cause) {
        if (systemCode(cause) === '' && !(cause instanceof UnfitFileError)) throw cause
        throw new AgentError('on-publish-record', `${directory}/${toldName}: ${messageOf(cause)}`, { cause })
      }
    },
  }
}

function parseTold(text: string): Told | undefined {
  const { serialNumber, ca } = asObject(parseJson(text)) ?? {}
  return typeof serialNumber === 'string' && typeof ca === 'string' ? { serialNumber, ca } : undefined
}

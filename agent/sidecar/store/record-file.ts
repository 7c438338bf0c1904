/**
 * Owns a small file that the agent keeps for itself beside the generations, for the process that comes after it. It is replaced by a
 * rename, so that it is never half. It is not synchronized to the disk: it is there for processes that die.
 */
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { type Files, systemFiles, UnfitFileError } from '../../core/files.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { withDirectory } from './open-directory.ts'

export interface RecordFile {
  readonly path: string
  /** Undefined if there is none. @throws AgentError */
  read(): string | undefined
  /** @throws AgentError */
  write(text: string): void
  /** @throws AgentError */
  remove(): void
}

export interface RecordFileOptions {
  readonly directory: string
  readonly name: string
  /** Of a failure to read or write it. */
  readonly reason: ReasonCode
  readonly files?: Files
  /** O_NOFOLLOW if the directory itself may be no link. */
  readonly flags?: number
}

export function openRecordFile(options: RecordFileOptions): RecordFile {
  const { directory, name, reason, files = systemFiles, flags = 0 } = options
  const path = join(directory, name)
  const temporary = `${name}_tmp`

  function guarded<Result>(operate: () => Result): Result {
    try {
      return operate()
    } catch (cause) {
      if (systemCode(cause) === '' && !(cause instanceof UnfitFileError)) throw cause
      throw new AgentError(reason, `${path}: ${messageOf(cause)}`, { cause })
    }
  }

  function readText(): string | undefined {
    try {
      return withDirectory(files, directory, (opened) => opened.readFile(name).text, flags)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  function replace(text: string): void {
    withDirectory(
      files,
      directory,
      (opened) => {
        // Whatever stands there is not opened: a crash may have left it, or somebody else has put it there.
        opened.remove(temporary)
        opened.createFile(temporary, text, (descriptor) => files.fchmodSync(descriptor, 0o600)) // Whatever the umask is.
        opened.rename(temporary, name)
      },
      flags,
    )
  }

  return {
    path,
    read: () => guarded(readText),
    write: (text) => guarded(() => replace(text)),
    remove: () => guarded(() => withDirectory(files, directory, (opened) => opened.remove(name), flags)),
  }
}

/** Owns the system calls of the store as one small interface: tests stop the program after any of them. */
import * as fs from 'node:fs'

/** The part of node:fs that publishing uses. Synchronous: a generation is a few kilobytes, and nothing may come between. */
export type Files = Pick<
  typeof fs,
  | 'chmodSync'
  | 'closeSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'readSync'
  | 'renameSync'
  | 'rmSync'
  | 'statSync'
  | 'symlinkSync'
  | 'unlinkSync'
  | 'writeSync'
>

export const systemFiles: Files = fs

/** Calls `use` with an open descriptor and closes it, whatever happens. */
export function withFile<Result>(
  files: Files,
  path: string,
  flags: number,
  mode: number,
  use: (descriptor: number) => Result,
): Result {
  const descriptor = files.openSync(path, flags, mode)
  try {
    return use(descriptor)
  } finally {
    files.closeSync(descriptor)
  }
}

/** Makes the entries of a directory durable: renames and links in it survive a power loss. */
export function syncDirectory(files: Files, path: string): void {
  withFile(files, path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, 0, (descriptor) =>
    files.fsyncSync(descriptor),
  )
}

/** What stands there is no file, or too large a one: not the system's fault, so not a system error. */
export class UnfitFileError extends Error {
  override readonly name = 'UnfitFileError'
}

/**
 * The text of a small file; a larger one, a directory or a pipe is refused and not read.
 * @throws the system error, or UnfitFileError
 */
export function readSmallFile(files: Files, path: string, maxBytes = 1024 * 1024): string {
  // Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
  return withFile(files, path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK, 0, (descriptor) => {
    const stat = files.fstatSync(descriptor)
    if (!stat.isFile()) throw new UnfitFileError(`${path} is not a regular file`)
    if (stat.size > maxBytes) {
      throw new UnfitFileError(`${path} has ${stat.size} bytes; more than ${maxBytes} are not read`)
    }
    const buffer = Buffer.alloc(stat.size)
    let length = 0
    while (length < buffer.length) {
      const read = files.readSync(descriptor, buffer, length, buffer.length - length, null)
      if (read === 0) break
      length += read
    }
    return buffer.toString('utf8', 0, length)
  })
}

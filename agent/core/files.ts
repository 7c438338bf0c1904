/** Owns the system calls of the store as one small interface (tests stop the program after any of them), and what their errors mean. */
import * as fs from 'node:fs'
import { AgentError, messageOf, systemCode } from './errors.ts'
import type { ReasonCode } from './reason-catalog.ts'

/** The part of node:fs that publishing uses. Synchronous: a generation is a few kilobytes, and nothing may come between. */
export type Files = Pick<
  typeof fs,
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
  | 'rmdirSync'
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

/** There is something else than a file, or the file is too large. That is not the fault of the system, so it is no system error. */
export class UnfitFileError extends Error {
  override readonly name = 'UnfitFileError'
}

/** Whether a file was at fault: anything else that is thrown is a bug. */
export function isFileError(error: unknown): boolean {
  return systemCode(error) !== '' || error instanceof UnfitFileError
}

const reasonOfCode: Readonly<Record<string, ReasonCode>> = {
  ENOENT: 'directory-missing',
  ENOTDIR: 'directory-occupied',
  EISDIR: 'directory-occupied',
  ENOTEMPTY: 'directory-occupied',
  EEXIST: 'directory-occupied',
  EROFS: 'directory-read-only',
  EACCES: 'directory-denied',
  EPERM: 'directory-denied',
  ENOSPC: 'directory-full',
  EDQUOT: 'directory-full',
  EIO: 'directory-failed',
}

/** Runs file operations; a system error becomes an AgentError that names the directory. Anything else is a bug and passes. */
export function translateFileErrors<Result>(directory: string, operate: () => Result): Result {
  try {
    return operate()
  } catch (cause) {
    const code = systemCode(cause)
    if (cause instanceof AgentError || !/^E[A-Z0-9]+$/.test(code)) throw cause
    throw new AgentError(reasonOfCode[code] ?? 'directory-failed', `${directory}: ${messageOf(cause)}`, { cause })
  }
}

/** The result, or undefined if the operation fails with one of these system errors. */
export function unlessCode<Result>(codes: readonly string[], operate: () => Result): Result | undefined {
  try {
    return operate()
  } catch (error) {
    if (codes.includes(systemCode(error))) return undefined
    throw error
  }
}

export interface FileText {
  readonly text: string
  /** Permission bits. */
  readonly mode: number
}

/**
 * The text of a small file that the operator has named: links are followed. A larger one, a directory or a pipe is refused and not
 * read.
 * @throws the system error, or UnfitFileError
 */
export function readSmallFile(files: Files, path: string, maxBytes?: number): string {
  // Opening a socket fails with an error that says nothing, and a device may do something when it is opened.
  requireFile(files.statSync(path), path)
  // Without O_NONBLOCK, opening a named pipe would wait for its writer forever.
  const flags = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK
  return withFile(files, path, flags, 0, (descriptor) => readOpenFile(files, descriptor, path, maxBytes).text)
}

/** @param path for messages */
export function readOpenFile(files: Files, descriptor: number, path: string, maxBytes = 1024 * 1024): FileText {
  const stat = files.fstatSync(descriptor)
  requireFile(stat, path)
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
  return { text: buffer.toString('utf8', 0, length), mode: stat.mode & 0o777 }
}

/** @throws UnfitFileError */
export function requireFile(stat: fs.Stats, path: string): void {
  if (!stat.isFile()) throw new UnfitFileError(`${path} is not a regular file but ${kindOf(stat)}`)
}

/** For messages. */
export function kindOf(stat: fs.Stats): string {
  if (stat.isFile()) return 'a file'
  if (stat.isDirectory()) return 'a directory'
  if (stat.isSymbolicLink()) return 'a link'
  if (stat.isFIFO()) return 'a named pipe'
  return stat.isSocket() ? 'a socket' : 'a device'
}

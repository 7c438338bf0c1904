/**
 * Owns work in a directory into which others may write. Everything goes by the directory's descriptor, so nobody can swap a path
 * below us. No link that stands in it is followed, no pipe, socket or device is opened, and nothing is waited for.
 *
 * Node has no openat(2): `/proc/self/fd/N/name` is the same, because the kernel takes the descriptor and not the path from it.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html
 */
import { constants, type Stats } from 'node:fs'
import { join } from 'node:path'
import {
  type Files,
  type FileText,
  readOpenFile,
  requireFile,
  UnfitFileError,
  unlessCode,
  withFile,
} from '../../core/files.ts'

export interface Directory {
  /** For messages; what is done goes by the descriptor. */
  readonly path: string
  stat(): Stats
  list(): string[]
  /** What stands under the name, a link itself and not what it names; undefined if there is nothing. */
  entry(name: string): Stats | undefined
  /** What the link names; undefined if there is no link. */
  linkTarget(name: string): string | undefined
  /** @throws the system error, or UnfitFileError if it is no regular file or too large */
  readFile(name: string): FileText
  /** Makes a file that was not there, with this mode whatever the umask is. */
  createFile(name: string, text: string, attributes: NewFile): void
  createDirectory(name: string): void
  /** @throws the system error; ENOTDIR if a link or a file stands there */
  within<Result>(name: string, use: (directory: Directory) => Result): Result
  createLink(name: string, target: string): void
  rename(from: string, to: string): void
  /** Anything but a directory; nothing is as good. */
  remove(name: string): void
  /** An empty one. */
  removeDirectory(name: string): void
  chmod(mode: number): void
  sync(): void
}

export interface NewFile {
  readonly mode: number
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Whether it survives a power failure. */
  readonly isDurable?: boolean
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY

/** @param flags O_NOFOLLOW if the last name of the path may be no link */
export function withDirectory<Result>(
  files: Files,
  path: string,
  use: (directory: Directory) => Result,
  flags = 0,
): Result {
  return withFile(files, path, directoryFlags | flags, 0, (descriptor) => use(directoryOf(files, descriptor, path)))
}

function directoryOf(files: Files, descriptor: number, path: string): Directory {
  const byDescriptor = `/proc/self/fd/${descriptor}`
  const at = (name: string): string => `${byDescriptor}/${name}`
  const ownPath = new RegExp(`${byDescriptor}(?!\\d)`, 'g')

  /** A message names the path that an operator knows. */
  function named<Result>(operate: () => Result): Result {
    try {
      return operate()
    } catch (error) {
      if (error instanceof Error) error.message = error.message.replace(ownPath, () => path)
      throw error
    }
  }

  const open = <Result>(name: string, flags: number, use: (opened: number) => Result): Result =>
    withFile(files, at(name), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600, use)

  return {
    path,
    stat: () => files.fstatSync(descriptor),
    list: () => named(() => files.readdirSync(byDescriptor)),
    entry: (name) => named(() => unlessCode(['ENOENT'], () => files.lstatSync(at(name)))),
    linkTarget: (name) => named(() => unlessCode(['ENOENT', 'EINVAL'], () => files.readlinkSync(at(name)))),
    readFile: (name) =>
      named(() => {
        // A device may do something as soon as it is opened.
        requireFile(files.lstatSync(at(name)), join(path, name))
        return open(name, constants.O_RDONLY, (opened) => readOpenFile(files, opened, join(path, name)))
      }),
    createFile: (name, text, { mode, uid, gid, isDurable = false }) =>
      named(() =>
        open(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, (opened) => {
          const bytes = Buffer.from(text)
          for (let written = 0; written < bytes.length; ) written += files.writeSync(opened, bytes, written)
          // Owner before mode: chown clears bits.
          if (uid !== undefined || gid !== undefined) {
            const stat = files.fstatSync(opened)
            files.fchownSync(opened, uid ?? stat.uid, gid ?? stat.gid)
          }
          files.fchmodSync(opened, mode)
          if (isDurable) files.fsyncSync(opened)
        }),
      ),
    createDirectory: (name) => named(() => files.mkdirSync(at(name), 0o755)),
    within: (name, use) =>
      named(() => open(name, directoryFlags, (inner) => use(directoryOf(files, inner, join(path, name))))),
    createLink: (name, target) => named(() => files.symlinkSync(target, at(name))),
    rename: (from, to) => named(() => files.renameSync(at(from), at(to))),
    remove(name) {
      named(() => unlessCode(['ENOENT'], () => files.unlinkSync(at(name))))
    },
    removeDirectory: (name) => named(() => files.rmdirSync(at(name))),
    chmod: (mode) => files.fchmodSync(descriptor, mode),
    sync: () => files.fsyncSync(descriptor),
  }
}

/** Nothing of ours is nested, and what somebody else has nested deeper than this is left. */
const deepestTree = 16

/** Removes what stands under the name, a directory with all that is in it. @throws the system error, or UnfitFileError */
export function removeTree(directory: Directory, name: string, depth = 0): void {
  if (directory.entry(name)?.isDirectory() !== true) return directory.remove(name)
  if (depth === deepestTree) throw new UnfitFileError(`${join(directory.path, name)} is nested too deeply`)
  directory.within(name, (inner) => {
    for (const each of inner.list()) removeTree(inner, each, depth + 1)
  })
  directory.removeDirectory(name)
}

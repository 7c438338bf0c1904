/**
 * Tells whether something on this node has changed, without trusting that a watcher would have said so. A fingerprint is compared
 * with an earlier one and means nothing else. Nothing is opened but plain files, and an error is part of the fingerprint.
 */
import { createHash } from 'node:crypto'
import { accessSync, type BigIntStats, constants, lstatSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { lockName } from './directory-lock.ts'
import { fileNames } from './published-layout.ts'

const publishedNames = [...Object.values(fileNames), '..data']

/** A fingerprint of the content of files. Touching a file changes nothing. */
export function fingerprintFiles(files: readonly (string | undefined)[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const content = file === undefined ? '' : contentOf(file)
    hash.update(`${content.length} ${content}`)
  }
  return hash.digest('base64')
}

function contentOf(file: string): string {
  try {
    return readSmallFile(systemFiles, file)
  } catch (error) {
    return `unreadable ${systemCode(error)}`
  }
}

/**
 * A fingerprint of what could stop a publication: the directory itself, whether it can be written and has room, and what kind of thing stands
 * under each name. Times are left out.
 */
export function fingerprintDirectory(path: string): string {
  const writable = attempt(() => {
    accessSync(path, constants.W_OK)
    return 'writable'
  })
  return [writable, attempt(() => roomIn(path)), entriesOf(path, [...publishedNames, lockName])].join(' ')
}

/** A generation needs about as much; a file system that counts no inodes says 0 of 0. */
const [roomBytes, roomInodes] = [65_536, 8]

function roomIn(path: string): string {
  const { bavail, bsize, files, ffree } = statfsSync(path)
  return `${bavail * bsize >= roomBytes} ${files === 0 || ffree >= roomInodes}`
}

/** A fingerprint of what readers of the directory see. Changes with each write and each change of owner or mode, also in place. */
export function fingerprintPublished(path: string): string {
  const files = Object.values(fileNames).map((name) =>
    described(
      () => statSync(join(path, name), { bigint: true }),
      ({ size, mtimeNs, ctimeNs }) => [size, mtimeNs, ctimeNs],
    ),
  )
  return [entriesOf(path, publishedNames), attempt(() => readlinkSync(join(path, '..data'))), ...files].join(' ')
}

/** The directory itself, and what stands under the names. */
function entriesOf(path: string, names: readonly string[]): string {
  const entries = names.map((name) => described(() => lstatSync(join(path, name), { bigint: true })))
  return [described(() => statSync(path, { bigint: true })), ...entries].join(' ')
}

/** The system's error code stands for what could not be read. */
function attempt(read: () => string): string {
  try {
    return read()
  } catch (error) {
    return systemCode(error)
  }
}

function described(read: () => BigIntStats, more: (stats: BigIntStats) => bigint[] = () => []): string {
  return attempt(() => {
    const stats = read()
    const { dev, ino, mode, uid, gid } = stats
    return [dev, ino, mode, uid, gid, ...more(stats)].join(':')
  })
}

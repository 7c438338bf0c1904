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
import { dataLink, names } from './published-layout.ts'

/** A fingerprint of the content of files. Touching a file changes nothing. */
export function fingerprintFiles(files: readonly (string | undefined)[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    const content = file === undefined ? '' : contentOf(file)
    hash.update(`${content.length} ${content}`)
  }
  return hash.digest('base64')
}

/** Of files, without reading them. Changes whenever one is written or replaced. */
export function fingerprintTimes(files: readonly string[]): string {
  return files.map((file) => described(file, statSync, timesOf)).join(' ')
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
  const entries = [...names, dataLink, lockName].map((name) => described(join(path, name), lstatSync))
  return [writable, attempt(() => roomIn(path)), described(path, statSync), ...entries].join(' ')
}

/** A generation needs about as much; a file system that counts no inodes says 0 of 0. */
const [roomBytes, roomInodes] = [65_536, 8]

function roomIn(path: string): string {
  const { bavail, bsize, files, ffree } = statfsSync(path)
  return `${bavail * bsize >= roomBytes} ${files === 0 || ffree >= roomInodes}`
}

/** A fingerprint of what readers of the directory see. Changes with each write and each change of owner or mode, also in place. */
export function fingerprintPublished(path: string): string {
  const data = join(path, dataLink)
  const files = names.map((name) => join(path, name))
  return [
    described(path, statSync),
    described(data, lstatSync, (stats) => (stats.isSymbolicLink() ? readlinkSync(data) : '')),
    ...files.map((file) =>
      described(file, lstatSync, (stats) =>
        stats.isSymbolicLink() ? described(file, statSync, timesOf) : timesOf(stats),
      ),
    ),
  ].join(' ')
}

/** The system's error code stands for what could not be read. */
function attempt(read: () => string): string {
  try {
    return read()
  } catch (error) {
    return systemCode(error)
  }
}

/** What stands there, without its times; and what more there is to know of it. */
function described(path: string, read: typeof lstatSync, more: (stats: BigIntStats) => string = () => ''): string {
  return attempt(() => {
    const stats = read(path, { bigint: true })
    const { dev, ino, mode, uid, gid } = stats
    return [dev, ino, mode, uid, gid, more(stats)].join(':')
  })
}

function timesOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs].join(':')
}

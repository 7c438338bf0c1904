/**
 * Owns one directory of published certificates: whole generations behind one symbolic link, in the way of the kubelet's
 * AtomicWriter, so that a reader and a crash at any moment find the old bundle or the new one, never a mixture.
 *
 *     etcd-ca, etcd-cert, etcd-key → ..data/etcd-…      ..data → ..2026_11_21_02_25_39.412_0
 *
 * Publishing, with the numbers that stand in the code:
 *  1. remove what a crash left behind: generations that were never published, a stale `..data_tmp`
 *  2. plain files under our names become links, so that the swap takes them along: to the published generation, or where
 *     there is none (a copied Secret) to one that is made of them
 *  3. make the new generation directory
 *  4. write, fchown, fchmod and fsync each file in it
 *  5. fsync the generation directory
 *  6. link `..data_tmp` to it
 *  7. rename `..data_tmp` over `..data`: the moment of publication
 *  8. link each file name through `..data` where it is not yet
 *  9. fsync the directory
 * 10. remove the generations before the last: one stays for readers that hold its path, and as proof of what is in use
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go
 */
import { join, resolve } from 'node:path'
import { AgentError, messageOf, systemCode } from '../errors.ts'
import { type Bundle, type BundleText, parseBundle } from '../pki/bundle.ts'
import { Secret } from '../secret.ts'
import { translateFileErrors } from './failure.ts'
import { type Files, readSmallFile, syncDirectory, systemFiles, UnfitFileError } from './files.ts'
import { type FileAttributes, type FileContent, openGenerations } from './generation.ts'

export const fileNames = { ca: 'etcd-ca', certificate: 'etcd-cert', key: 'etcd-key' } as const

const names = Object.values(fileNames)
const dataLink = '..data'
const dataTmpLink = '..data_tmp'

/** Another writer (the kubelet) may swap while we read; it does not do so three times in a row. */
const readAttempts = 3

export interface SecretDir {
  readonly path: string
  /**
   * The published bundle; undefined where nothing is published.
   * @throws AgentError `malformed`, or a reason of the store
   */
  current(): Bundle | undefined
  /** When what is published was written, by the wall clock; undefined where nothing is. */
  writtenAtMs(): number | undefined
  /** The generation before the published one, where it can still be read: its certificate may be in use. */
  previous(): Bundle | undefined
  /** Whether mode and owner of the published files are the configured ones. */
  hasAttributes(): boolean
  /** Makes the bundle visible. @throws AgentError; the old bundle or the new one is then in place, whole */
  publish(bundle: BundleText, at: Date): void
  /** An old generation that could not be removed: it stops nothing, but holds an old key. */
  leftOver(): AgentError | undefined
}

export function openSecretDir(path: string, attributes: FileAttributes, files: Files = systemFiles): SecretDir {
  const { mode, caMode = 0o444 } = attributes
  const inDir = (name: string): string => join(path, name)
  const guarded = <Result>(operate: () => Result): Result => translateFileErrors(path, operate)
  const generations = openGenerations(path, attributes, files)

  /** Where a link points to; undefined where there is nothing, or no link. */
  function readLink(name: string): string | undefined {
    return unlessCode(['ENOENT', 'EINVAL'], () => files.readlinkSync(inDir(name)))
  }

  /** What stands under the name: 'link' through ..data, 'file' (or a link elsewhere), or nothing. */
  function entryKind(name: string): 'link' | 'file' | undefined {
    const stat = unlessCode(['ENOENT'], () => files.lstatSync(inDir(name)))
    if (stat === undefined) return undefined
    if (stat.isSymbolicLink()) return readLink(name) === join(dataLink, name) ? 'link' : 'file'
    if (stat.isFile()) return 'file'
    throw new AgentError('directory-occupied', `${inDir(name)} is neither a file nor a link`)
  }

  /** Refuses what must not be replaced, before anything is changed. */
  function requireOurPlaces(): void {
    for (const name of names) entryKind(name)
    const data = unlessCode(['ENOENT'], () => files.lstatSync(inDir(dataLink)))
    if (data?.isSymbolicLink() === false) throw new AgentError('directory-occupied', `${inDir(dataLink)} is not a link`)
  }

  function removeLeftovers(): void {
    unlessCode(['ENOENT'], () => files.unlinkSync(inDir(dataTmpLink)))
    const published = readLink(dataLink)
    generations.removeAllBut([published, generations.before(published)])
  }

  function replace(name: string, target: string): void {
    files.symlinkSync(target, inDir(dataTmpLink))
    files.renameSync(inDir(dataTmpLink), inDir(name))
  }

  function swapTo(generation: string): void {
    try {
      replace(dataLink, generation) // 6, 7
    } catch (error) {
      if (readLink(dataLink) !== generation) generations.remove(generation)
      throw error
    }
  }

  function linkNames(): void {
    for (const name of names) {
      // Renamed over a plain file: no moment without the name.
      if (entryKind(name) !== 'link') replace(name, join(dataLink, name))
    }
  }

  function takePlainFilesAlong(at: Date): void {
    const plain = names.filter((name) => entryKind(name) === 'file')
    const stands = (name: string) => unlessCode(['ENOENT'], () => files.statSync(inDir(join(dataLink, name))))
    if (!plain.every(stands)) swapTo(generations.create(plain.map(readPlainFile), at))
    if (readLink(dataLink) !== undefined) linkNames()
  }

  function readPlainFile(name: string): FileContent {
    try {
      return [name, readSmallFile(files, inDir(name)), files.statSync(inDir(name)).mode & 0o777]
    } catch (cause) {
      if (!(cause instanceof UnfitFileError) && !['ENOENT', 'ELOOP'].includes(systemCode(cause))) throw cause
      // A pipe, a file of many megabytes, a link to nowhere: somebody else's, and nothing that a reader could use.
      throw new AgentError('directory-occupied', `${inDir(name)} is not replaced: ${messageOf(cause)}`, { cause })
    }
  }

  function readBundle(directory: string): Bundle | undefined {
    const read = (name: string): string => {
      try {
        return readSmallFile(files, join(directory, name))
      } catch (cause) {
        if (!(cause instanceof UnfitFileError)) throw cause
        throw new AgentError('malformed', messageOf(cause), { cause })
      }
    }
    return unlessCode(['ENOENT'], () =>
      parseBundle(
        { certificate: read(fileNames.certificate), key: new Secret(read(fileNames.key)), ca: read(fileNames.ca) },
        directory,
      ),
    )
  }

  /** The three files of one generation, although the link to it may be swapped while they are read. */
  function readPublished(): Bundle | undefined {
    for (let attempt = 1; ; attempt++) {
      const published = readLink(dataLink)
      const bundle = readBundle(published === undefined ? path : resolve(path, published))
      if (bundle !== undefined || readLink(dataLink) === published || attempt === readAttempts) return bundle
    }
  }

  function readPrevious(): Bundle | undefined {
    const generation = generations.before(readLink(dataLink))
    try {
      return generation === undefined ? undefined : readBundle(inDir(generation))
    } catch (error) {
      // Also where its files belong to another user, or it is no directory: nothing of this stops a publication.
      if (systemCode(error) === '') throw error
      return undefined
    }
  }

  function hasAttributes(name: string): boolean {
    if (entryKind(name) !== 'link') return false
    const stat = unlessCode(['ENOENT'], () => files.statSync(inDir(name)))
    if (stat === undefined) return false
    const { uid = stat.uid, gid = stat.gid } = attributes
    const wantedMode = name === fileNames.ca ? caMode : mode
    return (stat.mode & 0o777) === wantedMode && stat.uid === uid && stat.gid === gid
  }

  return {
    path,
    current: () =>
      guarded(() => {
        files.readdirSync(path) // Says that the directory is missing, which a missing file would hide.
        return readPublished()
      }),
    writtenAtMs: () => guarded(() => unlessCode(['ENOENT'], () => files.statSync(inDir(fileNames.ca)).mtimeMs)),
    previous: () => guarded(readPrevious),
    leftOver: () => generations.leftOver(),
    hasAttributes: () => guarded(() => names.every(hasAttributes)),
    publish: (bundle, at) =>
      guarded(() => {
        requireOurPlaces()
        removeLeftovers() // 1
        takePlainFilesAlong(at) // 2
        const replaced = readLink(dataLink)
        const contents: FileContent[] = [
          [fileNames.ca, bundle.ca, caMode],
          [fileNames.certificate, bundle.certificate, mode],
          [fileNames.key, bundle.key.reveal(), mode],
        ]
        const generation = generations.create(contents, at) // 3, 4, 5
        swapTo(generation) // 6, 7
        linkNames() // 8
        syncDirectory(files, path) // 9
        generations.removeAllBut([generation, replaced]) // 10
      }),
  }
}

/** The result, or undefined where the operation fails with one of these system errors. */
function unlessCode<Result>(codes: readonly string[], operate: () => Result): Result | undefined {
  try {
    return operate()
  } catch (error) {
    if (codes.includes(systemCode(error))) return undefined
    throw error
  }
}

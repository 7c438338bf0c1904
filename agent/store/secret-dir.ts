/**
 * Owns one directory of published certificates: whole generations behind one symbolic link, in the way of the kubelet's
 * AtomicWriter, so that a reader and a crash at any moment find the old bundle or the new one, never a mixture.
 *
 *     etcd-ca, etcd-cert, etcd-key → ..data/etcd-…      ..data → ..2026_11_21_02_25_39.412_0
 *
 * Publishing, with the numbers that stand in the code:
 *  1. remove what a crash left behind: generations that no link names, a stale `..data_tmp`
 *  2. plain files under our names (a copied Secret) become a generation of their own, so that the swap takes them along
 *  3. make the new generation directory
 *  4. write, fchmod, fchown and fsync each file in it
 *  5. fsync the generation directory
 *  6. link `..data_tmp` to it
 *  7. rename `..data_tmp` over `..data`: the moment of publication
 *  8. link each file name through `..data` where it is not yet
 *  9. fsync the directory
 * 10. remove the generations before the last: one stays for readers that hold its path, and as proof of what is in use
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go
 */
import { constants } from 'node:fs'
import { join } from 'node:path'
import { AgentError, systemCode } from '../errors.ts'
import { type Bundle, type BundleText, parseBundle } from '../pki/bundle.ts'
import { Secret } from '../secret.ts'
import { translateFileErrors } from './failure.ts'
import { type Files, readSmallFile, syncDirectory, systemFiles, withFile } from './files.ts'

export const fileNames = { ca: 'etcd-ca', certificate: 'etcd-cert', key: 'etcd-key' } as const

const names = Object.values(fileNames)
const dataLink = '..data'
const dataTmpLink = '..data_tmp'
/** Our generations and the kubelet's alike; nothing else in the directory is ever touched. */
const generationPattern = /^\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\w+$/

export interface FileAttributes {
  /** Mode of key and certificate. */
  readonly mode: number
  readonly uid: number | undefined
  readonly gid: number | undefined
}

export interface SecretDir {
  readonly path: string
  /**
   * The published bundle; undefined where nothing is published.
   * @throws AgentError `malformed`, or a reason of the store
   */
  current(): Bundle | undefined
  /** The generation before the published one, where it can still be read: its certificate may be in use. */
  previous(): Bundle | undefined
  /** Whether mode and owner of the published files are the configured ones. */
  hasAttributes(): boolean
  /** Makes the bundle visible. @throws AgentError; the published bundle is then still in place */
  publish(bundle: BundleText, at: Date): void
}

export function openSecretDir(path: string, attributes: FileAttributes, files: Files = systemFiles): SecretDir {
  const inDir = (name: string): string => join(path, name)
  const guarded = <Result>(operate: () => Result): Result => translateFileErrors(path, operate)

  function readLink(name: string): string | undefined {
    try {
      return files.readlinkSync(inDir(name))
    } catch (error) {
      // EINVAL: it is not a link.
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EINVAL') return undefined
      throw error
    }
  }

  function generations(): string[] {
    return files.readdirSync(path).filter((name) => generationPattern.test(name))
  }

  function readBundle(directory: string): Bundle | undefined {
    const read = (name: string): string => {
      try {
        return readSmallFile(files, join(directory, name))
      } catch (error) {
        if (systemCode(error) !== '') throw error
        throw new AgentError('malformed', error instanceof Error ? error.message : String(error), { cause: error })
      }
    }
    try {
      return parseBundle(
        { certificate: read(fileNames.certificate), key: new Secret(read(fileNames.key)), ca: read(fileNames.ca) },
        directory,
      )
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** What stands under the name: 'link' through ..data, 'file', or nothing. */
  function entryKind(name: string): 'link' | 'file' | undefined {
    let stat: ReturnType<typeof files.lstatSync>
    try {
      stat = files.lstatSync(inDir(name))
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
    if (stat?.isSymbolicLink()) return readLink(name) === join(dataLink, name) ? 'link' : 'file'
    if (stat?.isFile()) return 'file'
    throw new AgentError('directory-occupied', `${inDir(name)} is neither a file nor a link`)
  }

  function makeGeneration(texts: Iterable<readonly [string, string, number]>, at: Date): string {
    const stamp = at.toISOString().replace(/[-:T]/g, '_').replace('Z', '')
    let name = ''
    for (let count = 0; name === ''; count++) {
      const attempt = `..${stamp}_${count}`
      try {
        files.mkdirSync(inDir(attempt), 0o755) // 3
        name = attempt
      } catch (error) {
        if (systemCode(error) !== 'EEXIST' || count > 99) throw error
      }
    }
    try {
      files.chmodSync(inDir(name), 0o755) // The umask may have taken bits away; readers have other uids.
      for (const [file, text, mode] of texts) writeFile(join(name, file), text, mode)
      syncDirectory(files, inDir(name)) // 5
    } catch (error) {
      // A full disk must not be made fuller by its failures.
      files.rmSync(inDir(name), { recursive: true, force: true })
      throw error
    }
    return name
  }

  function writeFile(name: string, text: string, mode: number): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    withFile(files, inDir(name), flags, 0o600, (descriptor) => {
      const bytes = Buffer.from(text)
      for (let written = 0; written < bytes.length; ) written += files.writeSync(descriptor, bytes, written)
      // 4. Owner before mode: chown clears bits.
      const { uid, gid } = attributes
      if (uid !== undefined || gid !== undefined) {
        const stat = files.fstatSync(descriptor)
        files.fchownSync(descriptor, uid ?? stat.uid, gid ?? stat.gid)
      }
      files.fchmodSync(descriptor, mode)
      files.fsyncSync(descriptor)
    })
  }

  function swapTo(generation: string): void {
    files.symlinkSync(generation, inDir(dataTmpLink)) // 6
    files.renameSync(inDir(dataTmpLink), inDir(dataLink)) // 7
  }

  function linkNames(): void {
    for (const name of names) {
      if (entryKind(name) === 'link') continue
      files.symlinkSync(join(dataLink, name), inDir(dataTmpLink)) // 8. Renamed over a plain file: no moment without the name.
      files.renameSync(inDir(dataTmpLink), inDir(name))
    }
  }

  function removeLeftovers(keep: readonly (string | undefined)[]): void {
    try {
      files.unlinkSync(inDir(dataTmpLink))
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
    for (const generation of generations()) {
      if (!keep.includes(generation)) files.rmSync(inDir(generation), { recursive: true, force: true })
    }
  }

  function adoptPlainFiles(at: Date): void {
    const plain = names.filter((name) => entryKind(name) === 'file')
    if (plain.length === 0 || readLink(dataLink) !== undefined) return
    const texts = plain.map((name) => {
      const mode = withFile(files, inDir(name), constants.O_RDONLY, 0, (descriptor) => files.fstatSync(descriptor).mode)
      return [name, readSmallFile(files, inDir(name)), mode & 0o777] as const
    })
    swapTo(makeGeneration(texts, at)) // 2
    linkNames()
  }

  /** The newest generation beside the published one; their names sort by time. */
  function previousGeneration(): string | undefined {
    const published = readLink(dataLink)
    return generations()
      .filter((name) => name !== published)
      .toSorted()
      .at(-1)
  }

  return {
    path,
    current: () =>
      guarded(() => {
        files.readdirSync(path) // Says that the directory is missing, which a missing file would hide.
        return readBundle(readLink(dataLink) === undefined ? path : inDir(dataLink))
      }),
    previous: () =>
      guarded(() => {
        const generation = previousGeneration()
        try {
          return generation === undefined ? undefined : readBundle(inDir(generation))
        } catch (error) {
          if (error instanceof AgentError) return undefined
          throw error
        }
      }),
    hasAttributes: () =>
      guarded(() =>
        names.every((name) => {
          if (entryKind(name) !== 'link') return false
          const stat = withFile(files, inDir(name), constants.O_RDONLY, 0, (descriptor) => files.fstatSync(descriptor))
          const mode = name === fileNames.ca ? 0o444 : attributes.mode
          const { uid = stat.uid, gid = stat.gid } = attributes
          return (stat.mode & 0o777) === mode && stat.uid === uid && stat.gid === gid
        }),
      ),
    publish: (bundle, at) =>
      guarded(() => {
        const published = readLink(dataLink)
        for (const name of names) entryKind(name) // Refuses a directory in a file's place before anything is changed.
        removeLeftovers([published, previousGeneration()]) // 1
        adoptPlainFiles(at)
        const replaced = readLink(dataLink)
        const texts = [
          [fileNames.ca, bundle.ca, 0o444],
          [fileNames.certificate, bundle.certificate, attributes.mode],
          [fileNames.key, bundle.key.reveal(), attributes.mode],
        ] as const
        const generation = makeGeneration(texts, at)
        swapTo(generation)
        linkNames()
        syncDirectory(files, path) // 9
        removeLeftovers([generation, replaced]) // 10
      }),
  }
}

/**
 * Owns one directory of published certificates: whole generations behind one symbolic link, in the way of the kubelet's
 * AtomicWriter, so that a reader and a crash at any moment find the old bundle or the new one, never a mixture.
 *
 *     etcd-ca, etcd-cert, etcd-key → ..data/etcd-…      ..data → ..2026_11_21_02_25_39.412_0
 *
 * Publishing, with the numbers that stand in the code:
 *  1. remove what a crash left behind: generations that were never published, a stale `..data_tmp`
 *  2. plain files under our names become links, so that the swap takes them along: to the published generation, or if
 *     there is none (a copied Secret) to one that is made of the certificates and the key in them
 *  3. make the new generation directory
 *  4. write, fchown, fchmod and fsync each file in it
 *  5. fsync the generation directory
 *  6. link `..data_tmp` to it
 *  7. rename `..data_tmp` over `..data`: the moment of publication
 *  8. link each file name through `..data` if it is not a link yet
 *  9. fsync the directory
 * 10. remove the generations before the last: one stays for readers that hold its path, and as proof of what is in use
 *
 * Others may write here too: what they put there is never followed and never waited for (open-directory.ts).
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go
 */
import { constants, type Stats } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf } from '../../core/errors.ts'
import { type Files, systemFiles, translateFileErrors, UnfitFileError, unlessCode } from '../../core/files.ts'
import { Secret } from '../../core/secret.ts'
import type { Bundle, BundleText } from '../../pki/bundle.ts'
import { parseCertificates, toPem } from '../../pki/certificate.ts'
import { exportKey, parseKey } from '../../pki/key.ts'
import {
  createGeneration,
  type FileAttributes,
  type FileContent,
  generationBefore,
  generationsIn,
  removeGeneration,
  removeGenerationsBut,
} from './generation.ts'
import { type Directory, withDirectory } from './open-directory.ts'
import {
  dataLink,
  type EntryKind,
  entryKinds,
  fileNames,
  filesIn,
  names,
  publishedIn,
  publishedStats,
  readPrevious,
  readPublished,
  requirePlaces,
  statsIn,
} from './published-layout.ts'

const dataTmpLink = '..data_tmp'

export interface SecretDir {
  readonly path: string
  /**
   * The published bundle; undefined if nothing is published.
   * @throws AgentError `malformed`, or a reason of the store
   */
  current(): Bundle | undefined
  /** When what is published was written, by the wall clock; undefined if nothing is. */
  writtenAtMs(): number | undefined
  /** The generation before the published one, if it can still be read: its certificate may be in use. */
  previous(): Bundle | undefined
  /** Whether mode and owner of the published files are the configured ones, or what the file system made of those. */
  hasAttributes(): boolean
  /** Refuses what must not be replaced, without changing anything. @throws AgentError `directory-occupied` */
  requirePlaces(): void
  /**
   * Makes the bundle visible; answers what `writtenAtMs` would.
   * @throws AgentError; the old bundle or the new one is then in place, whole
   */
  publish(bundle: BundleText, at: Date): number | undefined
  /** What was wrong with the last publication and has not stopped it. */
  flaws(): readonly AgentError[]
}

export interface SecretDirOptions {
  readonly files?: Files
  /** Whether the last name of the path may be a link: not if others may write into the directory above. */
  readonly isLinkRefused?: boolean
}

export function openSecretDir(
  path: string,
  attributes: FileAttributes,
  { files = systemFiles, isLinkRefused = false }: SecretDirOptions = {},
): SecretDir {
  const { mode, caMode = 0o444 } = attributes
  let flaws: readonly AgentError[] = []
  /** Attributes of what was published last. A file system that ignores chmod must not be asked again and again. */
  let achieved: string | undefined

  type Use<Result> = (directory: Directory) => Result
  const open = <Result>(use: Use<Result>): Result =>
    withDirectory(files, path, use, isLinkRefused ? constants.O_NOFOLLOW : 0)
  const within = <Result>(use: Use<Result>): Result => translateFileErrors(path, () => open(use))
  const withinIfThere = <Result>(use: Use<Result>): Result | undefined =>
    translateFileErrors(path, () => unlessCode(['ENOENT'], () => open(use)))

  function areWanted(stats: readonly Stats[]): boolean {
    return stats.every((stat, index) => {
      const { uid = stat.uid, gid = stat.gid } = attributes
      const wantedMode = names[index] === fileNames.ca ? caMode : mode
      return (stat.mode & 0o777) === wantedMode && stat.uid === uid && stat.gid === gid
    })
  }

  function hasAttributes(directory: Directory): boolean {
    const stats = publishedStats(directory)
    return stats !== undefined && (areWanted(stats) || describe(stats) === achieved)
  }

  function replace(directory: Directory, name: string, target: string): void {
    directory.createLink(dataTmpLink, target)
    directory.rename(dataTmpLink, name)
  }

  function swapTo(directory: Directory, generation: string): string {
    try {
      replace(directory, dataLink, generation) // 6, 7
      return generation
    } catch (error) {
      if (publishedIn(directory) !== generation) removeGeneration(directory, generation)
      throw error
    }
  }

  function linkNames(directory: Directory, kinds: readonly EntryKind[]): void {
    for (const [index, name] of names.entries()) {
      // Renamed over a plain file: no moment without the name.
      if (kinds[index] !== 'ours') replace(directory, name, join(dataLink, name))
    }
  }

  /** @returns the generation that is published then */
  function takePlainFilesAlong(
    directory: Directory,
    kinds: readonly EntryKind[],
    before: string | undefined,
    at: Date,
  ): string | undefined {
    const plain = names.filter((_name, index) => kinds[index] === 'file')
    const known = plain.length === 0 || before === undefined ? undefined : filesIn(directory, before)
    const contents = plain.filter((name) => known?.has(name) !== true).flatMap((name) => readPlainFile(directory, name))
    const published =
      contents.length === 0 ? before : swapTo(directory, createGeneration(directory, contents, attributes, at))
    if (published !== undefined) linkNames(directory, kinds)
    return published
  }

  return {
    path,
    current: () => within(readPublished),
    writtenAtMs: () => withinIfThere((directory) => publishedStats(directory)?.[0]?.mtimeMs),
    previous: () => within(readPrevious),
    flaws: () => flaws,
    hasAttributes: () => withinIfThere(hasAttributes) ?? false,
    requirePlaces: () => void within(requirePlaces),
    publish: (bundle, at) =>
      within((directory) => {
        const kinds = requirePlaces(directory)
        directory.remove(dataTmpLink) // 1
        const found = generationsIn(directory)
        const before = publishedIn(directory)
        removeGenerationsBut(directory, found, [before, generationBefore(found, before)])
        const replaced = takePlainFilesAlong(directory, kinds, before, at) // 2
        const contents: FileContent[] = [
          [fileNames.ca, bundle.ca, caMode],
          [fileNames.certificate, bundle.certificate, mode],
          [fileNames.key, bundle.key.reveal(), mode],
        ]
        const generation = createGeneration(directory, contents, attributes, at) // 3, 4, 5
        swapTo(directory, generation) // 6, 7
        linkNames(directory, entryKinds(directory)) // 8
        directory.sync() // 9
        const stuck = removeGenerationsBut(directory, found, [generation, replaced]) // 10
        const stats = statsIn(directory, generation)
        flaws = [stuck, checkAttributes(stats)].filter((flaw) => flaw !== undefined)
        return stats?.[0]?.mtimeMs
      }),
  }

  function checkAttributes(stats: readonly Stats[] | undefined): AgentError | undefined {
    achieved = stats && describe(stats)
    if (stats === undefined || areWanted(stats)) return undefined
    return new AgentError('attributes-ignored', `${path}: the files have (mode owner:group) ${describe(stats)}`)
  }
}

const describe = (stats: readonly Stats[]): string =>
  stats.map(({ mode, uid, gid }) => `${(mode & 0o777).toString(8).padStart(4, '0')} ${uid}:${gid}`).join(', ')

/**
 * What a plain file holds, if it is a certificate or a key. Only that is written, never its bytes: somebody else has put it there.
 * The rest is of no use to a reader, and is replaced.
 */
function readPlainFile(directory: Directory, name: string): FileContent[] {
  try {
    const { text, mode } = directory.readFile(name)
    const content = pemIn(name, text)
    return content === undefined ? [] : [[name, content, mode]]
  } catch (cause) {
    if (!(cause instanceof UnfitFileError)) throw cause
    // A file of many megabytes is somebody else's.
    throw new AgentError('directory-occupied', `${join(directory.path, name)} is not replaced: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function pemIn(name: string, text: string): string | undefined {
  try {
    return name === fileNames.key ? exportKey(parseKey(new Secret(text))).reveal() : toPem(parseCertificates(text))
  } catch {
    return undefined
  }
}

/**
 * Owns the layout of a published directory as it is found: three names that link through `..data` to a generation, or three plain
 * files if nobody has published yet. Others may write there too: what has another form is said to be so and never followed.
 */
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { kindOf, UnfitFileError, unlessCode } from '../../core/files.ts'
import { Secret } from '../../core/secret.ts'
import { type Bundle, parseBundle } from '../../pki/bundle.ts'
import { generationBefore, generationsIn, isGeneration } from './generation.ts'
import type { Directory } from './open-directory.ts'

export const fileNames = { ca: 'etcd-ca', certificate: 'etcd-cert', key: 'etcd-key' } as const
export const names = Object.values(fileNames)
export const dataLink = '..data'

/** What opening a directory ends with if a link or anything else stands in its place. */
const notDirectory = ['ENOTDIR', 'ELOOP']

/** Another writer (the kubelet) may swap while we read; it does not do so three times in a row. */
const readAttempts = 3

/** What stands under one of the names: a link through ..data, a link elsewhere, a file, or nothing. */
export type EntryKind = 'ours' | 'foreign-link' | 'file' | undefined

/** @throws AgentError `directory-occupied` if it is nothing that may be replaced */
function entryKind(directory: Directory, name: string): EntryKind {
  const stat = directory.entry(name)
  if (stat === undefined) return undefined
  if (stat.isSymbolicLink()) return directory.linkTarget(name) === join(dataLink, name) ? 'ours' : 'foreign-link'
  if (stat.isFile()) return 'file'
  throw new AgentError('directory-occupied', `${join(directory.path, name)} is not a file but ${kindOf(stat)}`)
}

/** What stands under each of the names. @throws AgentError `directory-occupied` */
export function entryKinds(directory: Directory): readonly EntryKind[] {
  return names.map((name) => entryKind(directory, name))
}

/** Refuses what must not be replaced, before anything is changed. @throws AgentError `directory-occupied` */
export function requirePlaces(directory: Directory): readonly EntryKind[] {
  const kinds = entryKinds(directory)
  const data = directory.entry(dataLink)
  if (data?.isSymbolicLink() !== false) return kinds
  throw new AgentError('directory-occupied', `${join(directory.path, dataLink)} is not a link but ${kindOf(data)}`)
}

/** The generation that ..data names; undefined if there is no such link, or if it leads elsewhere. */
export function publishedIn(directory: Directory): string | undefined {
  const target = directory.linkTarget(dataLink)
  return target !== undefined && isGeneration(target) ? target : undefined
}

/** The three files of one generation, although the link to it may be swapped while they are read. */
export function readPublished(directory: Directory): Bundle | undefined {
  for (let attempt = 1; ; attempt++) {
    const target = directory.linkTarget(dataLink)
    const bundle =
      target !== undefined && isGeneration(target) ? readGeneration(directory, target) : readPlain(directory, target)
    if (bundle !== undefined || directory.linkTarget(dataLink) === target || attempt === readAttempts) return bundle
  }
}

/** The bundle of the generation before the published one; undefined if there is none that can be read. */
export function readPrevious(directory: Directory): Bundle | undefined {
  const generation = generationBefore(generationsIn(directory), publishedIn(directory))
  try {
    return generation === undefined ? undefined : readGeneration(directory, generation)
  } catch (error) {
    // Also if its files belong to another user, or it is no directory: nothing of this stops a publication.
    if (systemCode(error) === '') throw error
    return undefined
  }
}

/** The state of the three published files, in the order of the names; undefined if they are not as we publish them. */
export function publishedStats(directory: Directory): readonly Stats[] | undefined {
  if (names.some((name) => directory.linkTarget(name) !== join(dataLink, name))) return undefined
  const published = publishedIn(directory)
  return published === undefined ? undefined : statsIn(directory, published)
}

/** Of the three files of a generation, in the order of the names; undefined if they are not all there. */
export function statsIn(directory: Directory, generation: string): readonly Stats[] | undefined {
  const stats = [...filesIn(directory, generation).values()]
  return stats.length === names.length ? stats : undefined
}

/** The files that are there of a generation, by name; none if it is no directory. */
export function filesIn(directory: Directory, generation: string): ReadonlyMap<string, Stats> {
  const readFiles = (opened: Directory): [string, Stats][] =>
    names.flatMap((name) => {
      const stat = opened.entry(name)
      return stat?.isFile() === true ? [[name, stat]] : []
    })
  return new Map(unlessCode(['ENOENT', ...notDirectory], () => directory.within(generation, readFiles)))
}

function readPlain(directory: Directory, target: string | undefined): Bundle | undefined {
  if (target !== undefined) {
    throw new AgentError('malformed', `${join(directory.path, dataLink)} leads to ${target}, which is none of ours`)
  }
  // Our links lead nowhere: nothing is published.
  if (names.some((name) => directory.linkTarget(name) === join(dataLink, name))) return undefined
  return unlessCode(['ENOENT'], () => bundleIn(directory))
}

function readGeneration(directory: Directory, name: string): Bundle | undefined {
  try {
    return unlessCode(['ENOENT'], () => directory.within(name, bundleIn))
  } catch (cause) {
    if (!notDirectory.includes(systemCode(cause))) throw cause
    throw new AgentError('malformed', `${join(directory.path, name)} is not a directory`, { cause })
  }
}

const bundleIn = (directory: Directory): Bundle => readBundle(directory.path, (name) => directory.readFile(name).text)

/** @param path for messages. @throws the system error, or AgentError `malformed` */
export function readBundle(path: string, read: (name: string) => string): Bundle {
  try {
    const certificate = read(fileNames.certificate)
    const key = new Secret(read(fileNames.key))
    return parseBundle({ certificate, key, ca: read(fileNames.ca) }, path)
  } catch (cause) {
    if (!(cause instanceof UnfitFileError)) throw cause
    throw new AgentError('malformed', messageOf(cause), { cause })
  }
}

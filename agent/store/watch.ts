/**
 * Owns noticing that files have changed: credentials, CA files, and the published directories themselves. Directories are
 * watched, not files, as the kubelet replaces `..data` and a file's watch would be deaf after the first time.
 */

import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type ChokidarOptions, watch } from 'chokidar'
import { recordName } from './issuance-record.ts'

export interface Watched {
  readonly files: readonly string[]
  readonly directories: readonly string[]
}

/** A swap of the kubelet is several events. */
const settleMs = 100

/**
 * Calls `changed` after a change, at most once in 100 ms, and `ready` once no change can be missed any more.
 * @returns stops watching
 */
export function watchFiles(
  { files, directories }: Watched,
  changed: () => void,
  failed: (detail: string) => void,
  ready: () => void = () => {},
): () => void {
  const interesting = new Map<string, Set<string> | undefined>(
    directories.map((each) => [realDirectory(each), undefined]),
  )
  for (const file of files) {
    const directory = realDirectory(dirname(file))
    if (!interesting.has(directory)) interesting.set(directory, new Set())
    interesting.get(directory)?.add(basename(file))
  }
  const ignored = (path: string): boolean => isIgnored(path, interesting)
  return notice([...interesting.keys()], { depth: 0, ignored }, { changed, failed, ready })
}

/**
 * The same for one directory that others remove and make again, and for the files in its own directories: the generations of
 * a published one.
 */
export function watchPublished(
  path: string,
  changed: () => void,
  failed: (detail: string) => void,
  ready: () => void = () => {},
): () => void {
  return notice([join(realDirectory(dirname(path)), basename(path))], { depth: 1 }, { changed, failed, ready })
}

interface Listeners {
  readonly changed: () => void
  readonly failed: (detail: string) => void
  readonly ready: () => void
}

function notice(
  paths: string[],
  options: Pick<ChokidarOptions, 'depth' | 'ignored'>,
  { changed, failed, ready }: Listeners,
): () => void {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(paths, { ...options, ignoreInitial: true, followSymlinks: false })
  watcher.on('all', () => {
    timer ??= setTimeout(() => {
      timer = undefined
      changed()
    }, settleMs)
  })
  watcher.on('ready', ready)
  watcher.on('error', (error) => failed(error instanceof Error ? error.message : String(error)))
  return () => {
    clearTimeout(timer)
    void watcher.close()
  }
}

/** chokidar names paths without doubled or trailing slashes, and would watch a link itself instead of what it names. */
function realDirectory(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** In a directory that is shared with others (/etc, say), only our files and the kubelet's links count. */
function isIgnored(path: string, interesting: ReadonlyMap<string, Set<string> | undefined>): boolean {
  if (interesting.has(path)) return false
  // Written before every request to Vault: a look at it would end the wait after a failure.
  if (basename(path).startsWith(recordName)) return true
  const directory = dirname(path)
  if (!interesting.has(directory)) return true
  const names = interesting.get(directory)
  return names !== undefined && !names.has(basename(path)) && !basename(path).startsWith('..')
}

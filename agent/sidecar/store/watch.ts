/**
 * Owns noticing that files have changed: credentials, CA files, and the published directories themselves. Directories are
 * watched, not files, as the kubelet replaces `..data` and a file's watch would be deaf after the first time. A watch only makes
 * things quick: everything that it tells of is looked at every 30 s without it.
 */

import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type ChokidarOptions, type FSWatcher, watch } from 'chokidar'
import { messageOf, systemCode } from '../../core/errors.ts'
import { lockName } from './directory-lock.ts'
import { issuedName, toldName } from './records.ts'

export interface Watched {
  readonly files: readonly string[]
  readonly directories: readonly string[]
}

/** A swap of the kubelet is several events. */
const settleMs = 100
/** A watcher that could not be had, or whose directory has been replaced, is made anew this soon. */
const renewEveryMs = 30_000

/** Told by a watch. */
export interface WatchListeners {
  /** After a change, at most once in 100 ms; also if changes may have been missed. */
  readonly changed: () => void
  /** Files are not watched; told once until they are again. */
  readonly failed: (detail: string) => void
  /** No change can be missed any more. */
  readonly ready?: () => void
}

/** How watchers are made, and when they are looked after; tests have their own. */
export interface WatchEnvironment {
  readonly open: typeof watch
  /** Calls back again and again. Answers how to stop. */
  readonly every: (ms: number, call: () => void) => () => void
}

const system: WatchEnvironment = {
  open: watch,
  every: (ms, call) => {
    const timer = setInterval(call, ms).unref()
    return () => clearInterval(timer)
  },
}

/** @returns stops watching */
export function watchFiles(watched: Watched, listeners: WatchListeners, environment = system): () => void {
  return keepWatching(() => planWatch(watched), listeners, environment)
}

/**
 * The same for one directory that others remove and make again, and for the files in its own directories: the generations of
 * a published one.
 */
export function watchPublished(path: string, listeners: WatchListeners, environment = system): () => void {
  const plan = (): WatchPlan => ({
    paths: [join(realDirectory(dirname(path)), basename(path))],
    options: { depth: 1 },
  })
  return keepWatching(plan, listeners, environment)
}

interface WatchPlan {
  readonly paths: readonly string[]
  readonly options: Pick<ChokidarOptions, 'depth' | 'ignored'>
}

/**
 * A watcher is deaf once its directory is removed, and there is none if the system has no instance left. So one is made anew
 * until it can be had, and whenever other directories stand under the names.
 */
function keepWatching(
  plan: () => WatchPlan,
  { changed, failed, ready }: WatchListeners,
  { open, every }: WatchEnvironment,
): () => void {
  let timer: NodeJS.Timeout | undefined
  let watcher: FSWatcher | undefined
  let watchedState = ''
  let isBroken = false
  let isTold = false

  function begin(): void {
    const { paths, options } = plan()
    watchedState = stateOf(paths)
    isBroken = false
    const own = open([...paths], { ...options, ignoreInitial: true, followSymlinks: false })
    watcher = own
    own.on('all', () => {
      timer ??= setTimeout(() => {
        timer = undefined
        changed()
      }, settleMs)
    })
    own.on('ready', () => {
      if (own !== watcher || isBroken) return
      isTold = false
      ready?.()
    })
    own.on('error', (error) => {
      if (own === watcher) fail(error)
    })
  }

  function fail(error: unknown): void {
    isBroken = true
    if (!isTold) failed(messageOf(error))
    isTold = true
  }

  function beginOrFail(): void {
    try {
      begin()
    } catch (error) {
      fail(error)
    }
  }

  function renew(): void {
    if (!isBroken && stateOf(plan().paths) === watchedState) return
    void watcher?.close()
    beginOrFail()
    changed()
  }

  beginOrFail()
  const stop = every(renewEveryMs, renew)
  return () => {
    stop()
    clearTimeout(timer)
    void watcher?.close()
  }
}

/** Which directories stand under the names; the system's error code stands for what cannot be looked at. */
function stateOf(paths: readonly string[]): string {
  return paths.map((path) => `${path} ${identityOf(path)}`).join('\n')
}

function identityOf(path: string): string {
  try {
    const { dev, ino } = lstatSync(path)
    return `${dev}:${ino}`
  } catch (error) {
    return systemCode(error)
  }
}

function planWatch({ files, directories }: Watched): WatchPlan {
  const interesting = new Map<string, Set<string> | undefined>(
    directories.map((each) => [realDirectory(each), undefined]),
  )
  for (const file of files) {
    const directory = realDirectory(dirname(file))
    if (!interesting.has(directory)) interesting.set(directory, new Set())
    interesting.get(directory)?.add(basename(file))
  }
  const ignored = (path: string): boolean => isIgnored(path, interesting)
  return { paths: [...interesting.keys()], options: { depth: 0, ignored } }
}

/** chokidar names paths without doubled or trailing slashes, and would watch a link itself instead of what it names. */
function realDirectory(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** What the agent itself writes beside what it publishes: noticing it would wake the agent by its own work. */
const ownNames = [issuedName, lockName, toldName]

/** In a directory that is shared with others (/etc, say), only our files and the kubelet's links count. */
function isIgnored(path: string, interesting: ReadonlyMap<string, Set<string> | undefined>): boolean {
  if (interesting.has(path)) return false
  if (ownNames.some((name) => basename(path).startsWith(name))) return true
  const directory = dirname(path)
  if (!interesting.has(directory)) return true
  const names = interesting.get(directory)
  return names !== undefined && !names.has(basename(path)) && !basename(path).startsWith('..')
}

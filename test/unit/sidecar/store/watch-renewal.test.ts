import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type WatchEnvironment,
  type Watched,
  type WatchListeners,
  watchFiles,
} from '../../../../agent/sidecar/store/watch.ts'
import { tempDir } from '../../../support/temp-dir.ts'

describe('a watch that cannot be had, or has gone deaf', () => {
  /** Watchers as the test says, and the moments at which they are looked after. */
  function stage(paths: Partial<Watched>) {
    const told: string[] = []
    let failure: Error | undefined
    let look = (): void => {}
    const opened: FSWatcher[] = []
    const environment: WatchEnvironment = {
      open: (...parameters) => {
        if (failure !== undefined) throw failure
        const watcher = watch(...parameters)
        opened.push(watcher)
        return watcher
      },
      every: (_ms, call) => {
        look = call
        return () => {}
      },
    }
    let announce = (): void => {}
    const listeners: WatchListeners = {
      changed: () => {
        told.push('changed')
        announce()
      },
      failed: (detail) => told.push(`failed: ${detail}`),
      ready: () => {
        told.push('ready')
        announce()
      },
    }
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        announce = resolve
      })
    return {
      told,
      opened,
      next,
      begin: () => {
        onTestFinished(watchFiles({ files: [], directories: [], ...paths }, listeners, environment))
      },
      lookAfter: () => look(),
      fail: (error: Error | undefined) => {
        failure = error
      },
    }
  }

  test('is tried again until it can; the failure is told once', async () => {
    const directory = tempDir()
    const { told, opened, next, begin, lookAfter, fail } = stage({ directories: [directory] })
    fail(new Error('EMFILE: too many open files'))
    begin()
    lookAfter()
    lookAfter()
    expect(told).toEqual(['failed: EMFILE: too many open files', 'changed', 'changed'])
    fail(undefined)
    lookAfter()
    await next()
    expect(told.slice(3)).toEqual(['changed', 'ready'])
    const noticedAt = next()
    writeFileSync(join(directory, 'file'), 'text')
    await noticedAt
    lookAfter()
    expect(opened).toHaveLength(1)
  })

  test('whose watcher fails later is made anew', async () => {
    const { told, opened, next, begin, lookAfter } = stage({ directories: [tempDir()] })
    begin()
    await next()
    opened[0]?.emit('error', new Error('ENOSPC'))
    expect(told).toEqual(['ready', 'failed: ENOSPC'])
    lookAfter()
    await next()
    expect(told.slice(2)).toEqual(['changed', 'ready'])
  })

  test('a directory that was removed and made again is watched again', async () => {
    const directory = join(tempDir(), 'target')
    mkdirSync(directory)
    const { told, next, begin, lookAfter } = stage({ directories: [directory] })
    begin()
    await next()
    // Made before the other one goes: it must not get its inode.
    mkdirSync(`${directory}.new`)
    const removed = next()
    rmSync(directory, { recursive: true })
    await removed
    renameSync(`${directory}.new`, directory)
    lookAfter()
    await next()
    expect(told.at(-1)).toBe('ready')
    const noticedAt = next()
    writeFileSync(join(directory, 'etcd-ca'), 'text')
    await noticedAt
    expect(told.at(-1)).toBe('changed')
  })

  test('a way to the directory that has become a loop of links ends nothing, and is tried again', async () => {
    const root = tempDir()
    mkdirSync(join(root, 'parent', 'target'), { recursive: true })
    const { told, next, begin, lookAfter } = stage({ directories: [join(root, 'parent', 'target')] })
    begin()
    await next()
    renameSync(join(root, 'parent'), join(root, 'away'))
    symlinkSync('parent', join(root, 'parent'))
    lookAfter()
    expect(told).toContain('changed')
    rmSync(join(root, 'parent'))
    renameSync(join(root, 'away'), join(root, 'parent'))
    lookAfter()
    await next()
    expect(told.at(-1)).toBe('ready')
  })
})

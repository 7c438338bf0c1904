import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { type Watched, type WatchListeners, watchFiles, watchPublished } from '../../../../agent/sidecar/store/watch.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles } from './bundles.ts'

interface Watch {
  /** Resolves with the next call of `changed` after this one. */
  next(): Promise<void>
  readonly count: () => number
  readonly stop: () => void
}

/** Watches, and resolves once no change can be missed any more. A test that waits in vain ends with its timeout. */
function startWatch(watched: Partial<Watched>): Promise<Watch> {
  return startWith((listeners) => watchFiles({ files: [], directories: [], ...watched }, listeners))
}

async function startWith(begin: (listeners: WatchListeners) => () => void): Promise<Watch> {
  let count = 0
  let notify = (): void => {}
  const stop = await new Promise<() => void>((resolve, reject) => {
    const changed = (): void => {
      count++
      notify()
    }
    const failed = (detail: string): void => reject(new Error(detail))
    const stopWatching = begin({ changed, failed, ready: () => resolve(stopWatching) })
  })
  onTestFinished(stop)
  return {
    stop,
    count: () => count,
    next: () =>
      new Promise((resolve) => {
        notify = resolve
      }),
  }
}

/** Makes one change after the other, each once the one before has been noticed. Answers how many were. */
async function noticed(watch: Watch, changes: readonly (() => void)[]): Promise<number> {
  for (const change of changes) {
    const next = watch.next()
    change()
    await next
  }
  return watch.count()
}

/** What the kubelet does to a Secret volume (AtomicWriter), in its order. */
function swapLikeKubelet(directory: string, generation: number, name: string): () => void {
  return () => {
    const made = `..2026_11_21_00_00_00.${generation}`
    mkdirSync(join(directory, made))
    writeFileSync(join(directory, made, name), `text ${generation}`)
    symlinkSync(made, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    if (generation === 0) symlinkSync(join('..data', name), join(directory, name))
    rmSync(join(directory, `..2026_11_21_00_00_00.${generation - 1}`), { recursive: true, force: true })
  }
}

describe('a watched file', () => {
  test('in a Secret volume: each swap of ..data is noticed', async () => {
    const directory = tempDir()
    swapLikeKubelet(directory, 0, 'ca.crt')()
    const watch = await startWatch({ files: [join(directory, 'ca.crt')] })
    expect(
      await noticed(
        watch,
        [1, 2, 3].map((generation) => swapLikeKubelet(directory, generation, 'ca.crt')),
      ),
    ).toBeGreaterThan(0)
  })

  test('is noticed when it is written in place, replaced, removed and made again', async () => {
    const directory = tempDir()
    const file = join(directory, 'token')
    writeFileSync(file, 'one')
    const watch = await startWatch({ files: [file] })
    expect(
      await noticed(watch, [
        () => writeFileSync(file, 'two, longer'),
        () => appendFileSync(file, 'more'),
        () => {
          writeFileSync(join(directory, 'other'), 'three')
          renameSync(join(directory, 'other'), file)
        },
        () => rmSync(file),
        () => writeFileSync(file, 'four'),
      ]),
    ).toBeGreaterThan(0)
  })

  test('that is not there yet is noticed when it comes', async () => {
    const directory = tempDir()
    const watch = await startWatch({ files: [join(directory, 'token')] })
    expect(await noticed(watch, [() => writeFileSync(join(directory, 'token'), 'text')])).toBeGreaterThan(0)
  })

  test.each([
    ['with doubled and trailing slashes', (path: string) => `${path}//./token`],
    [
      'through a link to its directory',
      (path: string) => {
        symlinkSync(path, `${path}.link`)
        onTestFinished(() => rmSync(`${path}.link`))
        return join(`${path}.link`, 'token')
      },
    ],
  ])('may be named %s', async (_how, nameOf) => {
    const directory = tempDir()
    writeFileSync(join(directory, 'token'), 'one')
    const watch = await startWatch({ files: [nameOf(directory)] })
    expect(await noticed(watch, [() => writeFileSync(join(directory, 'token'), 'two')])).toBeGreaterThan(0)
  })

  test('in a directory that it shares with others: only it counts', async () => {
    const directory = tempDir()
    const file = join(directory, 'ca.pem')
    writeFileSync(file, 'one')
    const watch = await startWatch({ files: [file] })
    for (const name of ['resolv.conf', 'ca.pem.bak', '.ca.pem.swp']) writeFileSync(join(directory, name), 'text')
    mkdirSync(join(directory, 'ssl'))
    writeFileSync(join(directory, 'ssl', 'ca.pem'), 'text')
    // Events come in order: once this one has been told, the others would have been.
    expect(await noticed(watch, [() => writeFileSync(file, 'two')])).toBeGreaterThan(0)
    expect(watch.count()).toBe(1)
  })
})

describe('a watched directory', () => {
  test.each([
    ['', ''],
    ['with a trailing slash', '/'],
  ])('is noticed with each publication, and with each file that somebody changes %s', async (_how, suffix) => {
    const directory = tempDir()
    const [first, second] = await createBundles(2)
    const secretDir = openSecretDir(directory, attributes)
    if (first === undefined || second === undefined) throw new Error('no bundles')
    secretDir.publish(first, new Date(0))
    const watch = await startWatch({ directories: [directory + suffix] })
    expect(
      await noticed(watch, [
        () => secretDir.publish(second, new Date(1000)),
        () => rmSync(join(directory, 'etcd-key')),
        () => writeFileSync(join(directory, 'etcd-key'), 'mine'),
        () => secretDir.publish(first, new Date(2000)),
      ]),
    ).toBeGreaterThan(0)
  })

  test('may be watched for a file of it at the same time', async () => {
    const directory = tempDir()
    const watch = await startWatch({ directories: [directory], files: [join(directory, 'token')] })
    expect(await noticed(watch, [() => writeFileSync(join(directory, 'something else'), 'text')])).toBeGreaterThan(0)
  })

  test('with a named pipe in it does not hang', async () => {
    const directory = tempDir()
    execFileSync('mkfifo', [join(directory, 'pipe')])
    const watch = await startWatch({ directories: [directory] })
    expect(await noticed(watch, [() => writeFileSync(join(directory, 'etcd-ca'), 'text')])).toBeGreaterThan(0)
  })
})

describe('a published directory that others remove and make again', () => {
  async function startWatchPublished(path: string): Promise<Watch> {
    return await startWith((listeners) => watchPublished(path, listeners))
  }

  test('is noticed when it comes, goes and comes back, each time', async () => {
    const directory = join(tempDir(), 'calico-tls')
    const watch = await startWatchPublished(directory)
    const make = (): void => mkdirSync(directory)
    const remove = (): void => rmSync(directory, { recursive: true })
    const write = (): void => writeFileSync(join(directory, 'etcd-key'), 'text')
    const remake = (): void => {
      remove()
      make()
      write()
    }
    const changes = [make, write, remove, make, write, remake, remake, write]
    expect(await noticed(watch, changes)).toBeGreaterThanOrEqual(changes.length)
  })

  test('is noticed when a file of its generation is changed in place', async () => {
    const directory = tempDir()
    const [first] = await createBundles(1)
    if (first === undefined) throw new Error('no bundle')
    openSecretDir(directory, attributes).publish(first, new Date(0))
    const watch = await startWatchPublished(directory)
    const key = join(directory, 'etcd-key')
    const changes = [() => chmodSync(key, 0o600), () => writeFileSync(key, 'mine')]
    expect(await noticed(watch, changes)).toBeGreaterThanOrEqual(changes.length)
  })
})

test('many changes at once are told once', async () => {
  const directory = tempDir()
  const watch = await startWatch({ directories: [directory] })
  const next = watch.next()
  for (let index = 0; index < 50; index++) writeFileSync(join(directory, `file${index}`), 'text')
  await next
  expect(watch.count()).toBe(1)
})

test('nothing is told once the watch has been stopped', async () => {
  const directory = tempDir()
  const stopped = await startWatch({ directories: [directory] })
  const other = await startWatch({ directories: [directory] })
  stopped.stop()
  expect(await noticed(other, [() => writeFileSync(join(directory, 'file'), 'text')])).toBeGreaterThan(0)
  expect(stopped.count()).toBe(0)
})

test('the agent is not woken by its own lock and record', async () => {
  const directory = tempDir()
  const watch = await startWatch({ directories: [directory] })
  for (const name of ['..lock', '..lock_1', '..issued', '..issued_tmp']) writeFileSync(join(directory, name), '')
  expect(await noticed(watch, [() => writeFileSync(join(directory, 'etcd-ca'), 'text')])).toBeGreaterThan(0)
  expect(watch.count()).toBe(1)
})

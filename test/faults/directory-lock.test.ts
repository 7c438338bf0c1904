/** One directory and several processes that want to write into it: killed, stopped, in other namespaces, all at once. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDirectoryLock, type DirectoryLock } from '../../agent/sidecar/store/directory-lock.ts'
import { canMount, remount, tempDir, tempFileSystem } from '../support/temp-dir.ts'

const inUse: unknown = expect.objectContaining({ code: 'directory-in-use' })
const node = join(import.meta.dirname, '../../node_modules/.bin/node')
const namespaces = ['--pid', '--net', '--fork', '--mount-proc', '--kill-child']
const canUnshare = process.getuid?.() === 0 && spawnSync('unshare', [...namespaces, 'true']).status === 0

function lockOf(directory: string): DirectoryLock {
  const lock = createDirectoryLock(directory)
  onTestFinished(() => lock.release())
  return lock
}

/** A process that has claimed the directory; answers what came of it. */
async function startHolder(
  directory: string,
  wrapper: readonly string[] = [],
  program = 'lock-holder.ts',
): Promise<[string, ChildProcess]> {
  const args = [...wrapper, node, join(import.meta.dirname, program), directory]
  const child = spawn(args[0] ?? node, args.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const said = await new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  return [said, child]
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

describe('one at a time', () => {
  test('has it until it is released', async () => {
    const directory = tempDir()
    const [one, other] = [lockOf(directory), lockOf(directory)]
    await one.claim()
    await one.claim()
    await expect(other.claim()).rejects.toEqual(inUse)
    await expect(other.claim()).rejects.toThrow(directory)
    one.release()
    expect(readdirSync(directory)).toEqual([])
    await other.claim()
    await expect(one.claim()).rejects.toEqual(inUse)
  })

  test('does not release what another one has', async () => {
    const directory = tempDir()
    const [one, other] = [lockOf(directory), lockOf(directory)]
    await one.claim()
    other.release()
    await expect(other.claim()).rejects.toEqual(inUse)
  })

  test('in a directory whose path is too long for the address of a socket', async () => {
    const directory = join(tempDir(), 'd'.repeat(200))
    mkdirSync(directory)
    const [one, other] = [lockOf(directory), lockOf(directory)]
    await one.claim()
    expect(one.problem()).toBeUndefined()
    await expect(other.claim()).rejects.toEqual(inUse)
  })
})

describe('another process', () => {
  test('that was killed has it no more', async () => {
    const directory = tempDir()
    const [said, child] = await startHolder(directory)
    expect(said).toBe('.')
    const lock = lockOf(directory)
    await expect(lock.claim()).rejects.toEqual(inUse)
    await killed(child)
    await lock.claim()
    expect((await startHolder(directory))[0]).toBe('directory-in-use')
    expect(readdirSync(directory)).toEqual(['..lock'])
  })

  test('that stands still has it', async () => {
    const directory = tempDir()
    const [, child] = await startHolder(directory)
    child.kill('SIGSTOP')
    await expect(lockOf(directory).claim()).rejects.toEqual(inUse)
  })

  test.skipIf(!canUnshare)(
    `in PID and network namespaces of its own, as a container of the pod${canUnshare ? '' : ' (left out: needs unshare as root)'}`,
    async () => {
      const directory = tempDir()
      const [said, child] = await startHolder(directory, ['unshare', ...namespaces])
      expect(said).toBe('.')
      await expect(lockOf(directory).claim()).rejects.toEqual(inUse)
      await killed(child)
      const lock = lockOf(directory)
      // The namespace's first process dies with unshare, a moment later.
      for (;;) {
        const error: unknown = await lock.claim().catch((cause: unknown) => cause)
        if (error === undefined) break
        expect(error).toEqual(inUse)
      }
      expect((await startHolder(directory, ['unshare', ...namespaces]))[0]).toBe('directory-in-use')
    },
  )
})

test('many that find the same dead socket: one of them has it', async () => {
  const directory = tempDir()
  const [, child] = await startHolder(directory)
  await killed(child)
  const locks = Array.from({ length: 20 }, () => lockOf(directory))
  writeFileSync(join(directory, '..lock_of-one-that-was-killed-before'), '')
  await Promise.allSettled(locks.map((lock) => lock.claim()))
  expect(locks.filter((lock) => lock.problem() !== undefined)).toEqual([])
  const claims = await Promise.allSettled(locks.map((lock) => lock.claim()))
  expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(locks.filter((lock) => lock.problem() !== undefined)).toEqual([])
  expect(readdirSync(directory)).toEqual(['..lock'])
})

test('what somebody else has put in the place is not removed', async () => {
  const directory = tempDir()
  writeFileSync(join(directory, '..lock'), 'mine')
  await expect(lockOf(directory).claim()).rejects.toEqual(expect.objectContaining({ code: 'directory-occupied' }))
  expect(readdirSync(directory)).toEqual(['..lock'])
})

describe('a process that cannot take anybody', () => {
  test('as it has no descriptor left: it has the directory, and lives on after many have asked', async () => {
    const directory = tempDir()
    const [said, child] = await startHolder(directory, ['prlimit', '--nofile=64'], 'busy-holder.ts')
    expect(said).toBe('.')
    for (let asked = 0; asked < 20; asked++) await expect(lockOf(directory).claim()).rejects.toEqual(inUse)
    expect([child.exitCode, child.signalCode]).toEqual([null, null])
  })

  test('as it stands still and its queue is full: it has the directory, and nobody waits for it', async () => {
    const directory = tempDir()
    const [, child] = await startHolder(directory)
    child.kill('SIGSTOP')
    const sockets = await fill(join(directory, '..lock'))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
    })
    await expect(lockOf(directory).claim()).rejects.toEqual(inUse)
  })
})

/** Connections until the kernel takes no more. */
async function fill(path: string): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (;;) {
    const socket = connect(path)
    sockets.push(socket)
    const isTaken = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (!isTaken) return sockets
  }
}

test('what cannot be removed of those that were killed before stops nobody', async () => {
  const directory = tempDir()
  mkdirSync(join(directory, '..lock_x', 'deep'), { recursive: true })
  const lock = lockOf(directory)
  await lock.claim()
  expect(lock.problem()).toBeUndefined()
  expect(readdirSync(directory).toSorted()).toEqual(['..lock', '..lock_x'])
})

describe('where no lock can be had at all, nobody is kept from writing', () => {
  test('no such directory', async () => {
    const lock = lockOf(join(tempDir(), 'missing'))
    await lock.claim()
    expect(lock.problem()).toMatchObject({ code: 'directory-unlocked' })
  })

  test.skipIf(!canMount)(`read-only${canMount ? '' : ' (left out: this process may not mount)'}`, async () => {
    const directory = tempFileSystem('size=1m')
    remount(directory, 'ro')
    const lock = lockOf(directory)
    await lock.claim()
    expect(lock.problem()).toMatchObject({ code: 'directory-unlocked' })
    remount(directory, 'rw')
    await lock.claim()
    expect(lock.problem()).toBeUndefined()
  })
})

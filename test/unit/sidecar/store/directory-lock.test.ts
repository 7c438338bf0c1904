/** What a socket that does not answer means; living and dead processes are in test/faults/directory-lock.test.ts. */
import { chmodSync, chownSync, lstatSync, renameSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createDirectoryLock, isHeld, lockName, meaningOf } from '../../../../agent/sidecar/store/directory-lock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const nobody = 65_534

/** Without the rights of root, which may connect to anything. */
function asOrdinaryUser(directory: string): void {
  if (process.geteuid?.() !== 0) return
  chownSync(directory, nobody, nobody)
  process.seteuid?.(nobody)
  onTestFinished(() => process.seteuid?.(0))
}

/** A socket that nobody listens on any more. */
async function leaveDeadSocket(directory: string, mode: number): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(directory, 'made'), resolve))
  renameSync(join(directory, 'made'), join(directory, lockName))
  await new Promise((resolve) => server.close(resolve))
  chmodSync(join(directory, lockName), mode)
}

test('a dead socket that may not be asked is told with its owner, its mode and what to do, and stays', async () => {
  const directory = tempDir()
  await leaveDeadSocket(directory, 0o000)
  const { uid } = lstatSync(join(directory, lockName))
  asOrdinaryUser(directory)
  const claimed = createDirectoryLock(directory).claim()
  const told = new RegExp(`${lockName} .* user ${uid} .*mode 0.*remove it`)
  await expect(claimed).rejects.toMatchObject({
    code: 'directory-occupied',
    message: expect.stringMatching(told) as string,
  })
  expect(lstatSync(join(directory, lockName)).isSocket()).toBe(true)
})

test('a dead socket that may be asked is replaced', async () => {
  const directory = tempDir()
  await leaveDeadSocket(directory, 0o666)
  asOrdinaryUser(directory)
  const lock = createDirectoryLock(directory)
  onTestFinished(() => lock.release())
  await lock.claim()
})

test.each([
  ['ECONNREFUSED', 'nobody'],
  ['ENOENT', 'nobody'],
  ['EPROTOTYPE', 'another-kind'],
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EMFILE', 'failed'],
  ['ENFILE', 'failed'],
  ['ENOBUFS', 'failed'],
  ['ENOMEM', 'failed'],
  ['EAGAIN', 'somebody'],
])('%s: %s', (code, meaning) => {
  expect(meaningOf(code)).toBe(meaning)
})

test('a directory into which one may not look is taken for held; one that is not there, for free', async () => {
  const directory = tempDir()
  expect(await isHeld(join(directory, 'none'))).toBe(false)
  expect(await isHeld(directory)).toBe(false)
  asOrdinaryUser(directory)
  for (const mode of [0o400, 0o000]) {
    chmodSync(directory, mode)
    expect(await isHeld(directory)).toBe(true)
  }
})

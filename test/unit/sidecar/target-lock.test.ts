/** Two agents on one directory: the second one uses what it finds, writes nothing, signs nothing, and takes over in time. */
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createDirectoryLock, type DirectoryLock } from '../../../agent/sidecar/store/directory-lock.ts'
import { filesIn, plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, type Rig, rotationRig } from './rotation-rig.ts'

let rig: Rig
let other: DirectoryLock
beforeEach(async () => {
  rig = await rotationRig({ withState: true })
  other = createDirectoryLock(rig.path)
  onTestFinished(() => other.release())
  await other.claim()
})

test('nothing is signed or written; what is missing is tried for in seconds', async () => {
  await rig.start()
  const waits: number[] = []
  for (let count = 0; count < 5; count++) {
    waits.push(await rig.clock.nextSleep())
    rig.clock.advance(waits.at(-1) ?? 0)
  }
  expect(waits.map((ms) => ms / 1000)).toEqual([1, 2, 5, 7.5, 10])
  await rig.clock.nextSleep()
  expect(rig.told('renewal-failed').map(({ reason }) => reason)).toEqual(
    Array.from({ length: 6 }, () => 'directory-in-use'),
  )
  expect(rig.told('renewal-failed')[0]?.detail).toContain(rig.path)
  expect(rig.calls).toEqual([])
  expect(filesIn(rig.path)).toEqual([])
})

test('a good certificate is used, and kept over its renewal; who has the directory renews it', async () => {
  plant(rig.path, await rig.candidate())
  const before = snapshot(rig.path)
  await rig.start()
  expect(rig.told('found')).toHaveLength(1)
  expect(rig.told('renewal-failed')).toMatchObject([
    { reason: 'directory-in-use', notAfterMs: expect.any(Number) as number },
  ])
  await rig.clock.pass(16 * hourMs)
  expect(rig.calls).not.toContain('obtain')
  expect(snapshot(rig.path)).toEqual(before)
  plant(rig.path, await rig.candidate())
  rig.loop.recheck()
  await rig.clock.nextSleep()
  expect(rig.told('found').at(-1)?.certificate.serialNumber).toBe(publishedIn(rig.path).serialNumber)
})

test('is taken over as soon as the other one has ended', async () => {
  await rig.start()
  other.release()
  rig.loop.recheck() // What the watch on the directory does.
  await rig.clock.nextSleep()
  expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
  await expect(other.claim()).rejects.toMatchObject({ code: 'directory-in-use' })
  await rig.stop()
  await other.claim()
})

test('that the other one has ended is told as recovered, where nothing was due', async () => {
  plant(rig.path, await rig.candidate())
  await rig.start()
  other.release()
  await rig.clock.pass(hourMs)
  expect(rig.told('recovered')).toHaveLength(1)
  expect(rig.calls).not.toContain('obtain')
})

test('a repair is left to the one that has it', async () => {
  plant(rig.path, await rig.candidate())
  await rig.start()
  plant(rig.path, await rig.candidate(undefined, { commonName: 'calico-node:node2' }))
  const before = snapshot(rig.path)
  rig.loop.recheck()
  await rig.clock.nextSleep()
  expect(snapshot(rig.path)).toEqual(before)
})

test('init: ends at once where the certificate is good, without asking who has the directory', async () => {
  plant(rig.path, await rig.candidate())
  await rig.once()
  expect(rig.told('renewal-failed')).toEqual([])
})

test('init: waits for the one that has it, and ends with what that publishes', async () => {
  const ended = rig.once()
  await rig.clock.nextSleep()
  expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'directory-in-use' }])
  plant(rig.path, await rig.candidate())
  rig.clock.advance(1000)
  await ended
  expect(rig.calls).toEqual([])
})

/** Repair without a watcher: nothing tells the rotation that something has changed, and it is found out all the same. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { createTargetLoop } from '../../../agent/sidecar/target-loop.ts'
import { publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, type Rig, rotationRig } from './rotation-rig.ts'

const published = (path: string, name: string): string => join(path, '..data', name)

const spoilt: Readonly<Record<string, (path: string) => void>> = {
  'the link is removed': (path) => rmSync(join(path, '..data')),
  'a file is removed': (path) => rmSync(published(path, 'etcd-key')),
  'a name is removed': (path) => rmSync(join(path, 'etcd-ca')),
  'a file is written in place': (path) => {
    chmodSync(published(path, 'etcd-cert'), 0o600)
    writeFileSync(published(path, 'etcd-cert'), 'garbage')
  },
  'the mode is changed': (path) => chmodSync(published(path, 'etcd-key'), 0o644),
  'everything is removed': (path) => {
    rmSync(path, { recursive: true })
    mkdirSync(path)
  },
  'the link points elsewhere': (path) => {
    symlinkSync('nowhere', join(path, 'link'))
    renameSync(join(path, 'link'), join(path, '..data'))
  },
}

async function stateOf(isVaultDown: boolean): Promise<Rig> {
  const rig = await rotationRig()
  await rig.start()
  if (isVaultDown) {
    rig.vault.failure = new AgentError('vault-unreachable', 'down')
    rig.clock.advance(16 * hourMs)
    await rig.clock.nextSleep()
    await rig.clock.pass(60_000)
  }
  return rig
}

describe.each([
  ['a good certificate', false],
  ['a renewal that fails, hours of waiting ahead', true],
])('%s: put back within 30 s, without a try more', (_state, isVaultDown) => {
  test.each(Object.entries(spoilt))('%s', async (_what, spoil) => {
    const rig = await stateOf(isVaultDown)
    const before = { ...snapshot(rig.path), generation: '' }
    const calls = rig.calls.length
    spoil(rig.path)
    await rig.clock.pass(30_000)
    expect({ ...snapshot(rig.path), generation: '' }).toEqual(before)
    expect(rig.calls).toHaveLength(calls)
  })
})

test('a directory that goes and comes back is filled again', async () => {
  const rig = await stateOf(false)
  const { serialNumber } = publishedIn(rig.path)
  rmSync(rig.path, { recursive: true })
  await rig.clock.pass(10 * 60_000)
  expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'directory-missing' })
  mkdirSync(rig.path)
  await rig.clock.pass(30_000)
  expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  expect(rig.told('recovered')).toHaveLength(1)
})

test('what is in order is not written again, however often it is looked at', async () => {
  const rig = await stateOf(false)
  const before = snapshot(rig.path)
  for (let index = 0; index < 100; index++) {
    writeFileSync(join(rig.path, `file${index}`), 'of somebody else')
    rig.loop.recheck()
    await rig.clock.nextSleep()
  }
  await rig.clock.pass(15 * 60_000)
  expect(snapshot(rig.path)).toEqual(before)
  expect(rig.told('published')).toHaveLength(1)
})

test('a neighbor that undoes every repair at once is answered within 30 s each time, is told of once, and starves nobody', async () => {
  const rig = await rotationRig()
  const { emit } = rig.options
  rig.loop = createTargetLoop({
    ...rig.options,
    emit: (event) => {
      emit(event)
      if (event.type === 'published') chmodSync(published(rig.path, 'etcd-key'), 0o644)
    },
  })
  await rig.start()
  await rig.clock.pass(10 * 60_000)
  const repairs = rig.told('published').filter(({ reason }) => reason === 'attributes-changed').length
  expect(repairs).toBeGreaterThan(15)
  expect(repairs).toBeLessThan(25)
  expect(rig.told('store-flaw')).toMatchObject([{ reason: 'repair-undone' }])
  rig.loop.renewNow()
  await rig.clock.nextSleep()
  expect(rig.told('published').filter(({ reason }) => reason === 'renewal-requested')).toHaveLength(1)
})

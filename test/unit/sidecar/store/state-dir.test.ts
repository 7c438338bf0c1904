import { mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openStateDir, type StateDir } from '../../../../agent/sidecar/store/state-dir.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { createBundles } from './bundles.ts'

const [first, second] = await createBundles(2)
const inUse: unknown = expect.objectContaining({ code: 'directory-in-use' })
const at = new Date()

function open(path: string): StateDir {
  const state = openStateDir(path)
  onTestFinished(() => state.release())
  return state
}

test('is made, for nobody else, and holds the last bundle and the record', async () => {
  const path = join(tempDir(), 'deep', 'calico-node')
  const state = open(path)
  expect(() => state.current()).toThrow(expect.objectContaining({ code: 'directory-missing' }))
  await state.claim()
  state.publish(first!, at)
  state.record.write([7])
  expect(statSync(path).mode & 0o777).toBe(0o700)
  const next = open(path)
  expect([next.current()?.text, next.record.read()]).toEqual([first, [7]])
})

test('a second agent reads it and writes nothing, until the first one is gone', async () => {
  const path = join(tempDir(), 'calico-node')
  const [one, other] = [open(path), open(path)]
  await one.claim()
  one.publish(first!, at)
  one.record.write([7])
  await other.claim()
  expect(() => other.publish(second!, at)).toThrow(inUse)
  expect(() => other.record.write([8])).toThrow(inUse)
  expect([other.current()?.text, other.record.read()]).toEqual([first, [7]])
  one.release()
  await other.claim()
  other.publish(second!, at)
  other.record.write([8])
  expect([one.current()?.text, one.record.read()]).toEqual([second, [8]])
})

test('a link in its place is not followed', async () => {
  const [elsewhere, root] = [tempDir(), tempDir()]
  mkdirSync(join(elsewhere, 'there'), { mode: 0o755 })
  symlinkSync(join(elsewhere, 'there'), join(root, 'calico-node'))
  const state = open(join(root, 'calico-node'))
  await state.claim()
  expect(() => state.publish(first!, at)).toThrow(expect.objectContaining({ code: 'directory-occupied' }))
  expect(() => state.record.write([7])).toThrow(expect.objectContaining({ code: 'issuance-record' }))
  expect(readdirSync(join(elsewhere, 'there'))).toEqual([])
  expect(statSync(join(elsewhere, 'there')).mode & 0o777).toBe(0o755)
})

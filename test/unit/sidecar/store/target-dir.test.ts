import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { openTargetDir, type TargetDir } from '../../../../agent/sidecar/store/target-dir.ts'
import { canMount, tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, readNames, texts } from './bundles.ts'

const bundles = (await createBundles(5)) as [BundleText, BundleText, BundleText, BundleText, BundleText]
const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)

function open(directory: string): { target: TargetDir; told: string[] } {
  const told: string[] = []
  const target = openTargetDir(directory, attributes, ({ code }) => void told.push(code))
  onTestFinished(() => target.release())
  return { target, told }
}

test('a directory without flaws is published into, and nothing is told', async () => {
  const directory = tempDir()
  const { target, told } = open(directory)
  await target.claim()
  for (const [index, bundle] of bundles.entries()) target.publish(bundle, at(index))
  expect(readNames(directory)).toEqual(texts(bundles[4]))
  expect(told).toEqual([])
})

test.skipIf(!canMount)(
  `a generation that cannot be removed is told once, and stops nothing${canMount ? '' : ' (left out: this process may not mount)'}`,
  async () => {
    const directory = tempDir()
    const { target, told } = open(directory)
    await target.claim()
    target.publish(bundles[0], at(0))
    const stuck = join(directory, generationsIn(directory)[0] ?? '')
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', stuck])
    onTestFinished(() => {
      execFileSync('umount', [stuck])
    })
    for (const [index, bundle] of bundles.entries()) target.publish(bundle, at(1 + index))
    expect(readNames(directory)).toEqual(texts(bundles[4]))
    expect(told).toEqual(['generation-stuck'])
  },
)

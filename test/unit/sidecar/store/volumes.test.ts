/** File systems and volumes with ways of their own: a group that is inherited, modes that are ignored, no links at all. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Files, systemFiles } from '../../../../agent/core/files.ts'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { openHostCniDir } from '../../../../agent/sidecar/store/host-cni-dir.ts'
import { fileNames } from '../../../../agent/sidecar/store/published-layout.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { canMount, tempDir } from '../../../support/temp-dir.ts'
import { createBundles, generationsIn } from './bundles.ts'

const isRoot = process.getuid?.() === 0
const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
const bundles: BundleText[] = []
beforeAll(async () => void bundles.push(...(await createBundles(2))))
const [readerUid, volumeGid] = [54_321, 54_322]

describe.skipIf(!isRoot)('a volume of a pod with fsGroup (setgid)', () => {
  function volume(): string {
    const directory = tempDir()
    chownSync(directory, 0, volumeGid)
    chmodSync(directory, 0o2775)
    return directory
  }

  test.each([0o022, 0o077, 0o000])('keeps its group and setgid in every generation, with the umask %o', (umask) => {
    const before = process.umask(umask)
    onTestFinished(() => void process.umask(before))
    const directory = volume()
    const secretDir = openSecretDir(directory, { mode: 0o440, uid: undefined, gid: undefined })
    for (const [index, bundle] of bundles.entries()) secretDir.publish(bundle, at(index))
    for (const name of generationsIn(directory)) {
      const { mode, gid } = statSync(join(directory, name))
      expect([(mode & 0o7777).toString(8), gid]).toEqual(['2755', volumeGid])
    }
    expect(Object.values(fileNames).map((name) => statSync(join(directory, name)).gid)).toEqual(
      [1, 1, 1].map(() => volumeGid),
    )
    expect(secretDir.hasAttributes()).toBe(true)
  })

  test('a reader of that group reads the key, and one of another group does not', () => {
    const directory = volume()
    openSecretDir(directory, { mode: 0o440, uid: undefined, gid: undefined }).publish(bundles[0]!, at(0))
    const read = (gid: number) =>
      spawnSync('cat', [join(directory, fileNames.key)], { uid: readerUid, gid }).stdout.toString()
    expect(read(volumeGid)).toBe(bundles[0]!.key.reveal())
    expect(read(readerUid)).toBe('')
  })

  test('a configured group goes before it', () => {
    const directory = volume()
    openSecretDir(directory, { mode: 0o440, uid: undefined, gid: readerUid }).publish(bundles[0]!, at(0))
    expect(statSync(join(directory, fileNames.key)).gid).toBe(readerUid)
  })
})

describe('a file system that ignores chmod', () => {
  const files: Files = { ...systemFiles, fchmodSync: () => {} }

  test('is told once it is published into, and is not published into again for that', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, { mode: 0o440, uid: undefined, gid: undefined }, { files })
    secretDir.publish(bundles[0]!, at(0))
    expect(secretDir.flaws()).toMatchObject([
      { code: 'attributes-ignored', message: expect.stringMatching(/^\/.* 0600 \d+:\d+, 0600 /) as string },
    ])
    expect(secretDir.hasAttributes()).toBe(true)
    chmodSync(join(directory, fileNames.key), 0o666)
    expect(secretDir.hasAttributes()).toBe(false)
  })

  test('is in step as the copy of the CNI plugin, and is written once', () => {
    const directory = tempDir()
    mkdirSync(join(directory, 'calico-tls'))
    const copy = openHostCniDir(directory, 'calico-tls', files)
    expect([copy.sync(bundles[0]!, at(0)), copy.sync(bundles[0]!, at(1))]).toEqual([true, false])
    expect(generationsIn(join(directory, 'calico-tls'))).toHaveLength(1)
  })
})

const canVfat = canMount && spawnSync('mkfs.vfat', ['--help']).error === undefined
test.skipIf(!canVfat)(
  `vfat has no links: nothing is published, and the message says what failed${canVfat ? '' : ' (left out: needs mkfs.vfat as root)'}`,
  () => {
    const image = join(tempDir(), 'image')
    writeFileSync(image, '')
    truncateSync(image, 4 * 1024 * 1024)
    execFileSync('mkfs.vfat', [image])
    const directory = tempDir()
    execFileSync('mount', ['-o', 'loop', image, directory])
    onTestFinished(() => void execFileSync('umount', ['--lazy', directory]))
    const secretDir = openSecretDir(directory, { mode: 0o400, uid: undefined, gid: undefined })
    expect(() => secretDir.publish(bundles[0]!, at(0))).toThrow(/EPERM: operation not permitted/)
    expect(generationsIn(directory)).toEqual([])
  },
)

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Files, systemFiles } from '../../../../agent/core/files.ts'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { fileNames } from '../../../../agent/sidecar/store/published-layout.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, litterIn, readNames, readResolved, texts } from './bundles.ts'

const names = Object.values(fileNames)
const isRoot = process.getuid?.() === 0
const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21, 2, 25, 39, 412) + ms)
let first: BundleText
let second: BundleText
let third: BundleText

beforeAll(async () => {
  ;[first, second, third] = (await createBundles(3)) as [BundleText, BundleText, BundleText]
})

describe('the layout', () => {
  test('is names that link through ..data to a generation named after the time', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(first, at(0))
    expect(readdirSync(directory).toSorted()).toEqual(['..2026_11_21_02_25_39.412_0', '..data', ...names])
    expect(readlinkSync(join(directory, '..data'))).toBe('..2026_11_21_02_25_39.412_0')
    for (const name of names) expect(readlinkSync(join(directory, name))).toBe(`..data/${name}`)
    expect(readNames(directory)).toEqual(texts(first))
  })

  test('is reached by relative links alone: another mount of the volume sees the same files', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(first, at(0))
    for (const name of ['..data', ...names]) expect(readlinkSync(join(directory, name))).not.toMatch(/^\//)
  })

  test('changes by one link: the names stay the same links', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(first, at(0))
    const inodes = names.map((name) => lstatSync(join(directory, name)).ino)
    secretDir.publish(second, at(1000))
    expect(names.map((name) => lstatSync(join(directory, name)).ino)).toEqual(inodes)
    expect(readNames(directory)).toEqual(texts(second))
  })

  test('keeps the generation before, and none before that', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(first, at(0))
    expect(secretDir.previous()).toBeUndefined()
    secretDir.publish(second, at(1000))
    expect(secretDir.previous()?.text).toEqual(first)
    secretDir.publish(third, at(2000))
    expect(secretDir.previous()?.text).toEqual(second)
    expect(generationsIn(directory)).toHaveLength(2)
    expect(litterIn(directory)).toEqual([])
  })

  test('is looked at once: nothing is read twice before the new generation is visible', () => {
    const directory = tempDir()
    for (const [ms, bundle] of [first, second].entries()) openSecretDir(directory, attributes).publish(bundle, at(ms))
    const looks: string[] = []
    let isVisible = false
    const noting = (call: 'lstatSync' | 'readlinkSync' | 'readdirSync') => (path: string) => {
      if (!isVisible) looks.push(`${call} ${path}`)
      return systemFiles[call](path)
    }
    const files = {
      ...systemFiles,
      lstatSync: noting('lstatSync'),
      readlinkSync: noting('readlinkSync'),
      readdirSync: noting('readdirSync'),
      renameSync: (from: string, to: string) => {
        isVisible = true
        systemFiles.renameSync(from, to)
      },
    } as Files
    openSecretDir(directory, attributes, { files }).publish(third, at(2000))
    expect(readNames(directory)).toEqual(texts(third))
    expect(looks.toSorted()).toEqual([...new Set(looks)].toSorted())
    // What stands under four names, where the four links lead, and the list.
    expect(looks).toHaveLength(9)
  })

  test('does not care when the clock goes back, or stands still', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    const moments = [0, -3_600_000, -3_600_000, -7_200_000, 0, 0, 0]
    let before: BundleText | undefined
    for (const [index, moment] of moments.entries()) {
      const bundle = [first, second, third][index % 3] ?? first
      secretDir.publish(bundle, at(moment))
      expect(readResolved(directory)).toEqual(texts(bundle))
      expect(secretDir.previous()?.text).toEqual(before)
      expect(litterIn(directory)).toEqual([])
      before = bundle
    }
  })
})

describe('what stands in the directory', () => {
  test('is read as it was published', () => {
    const secretDir = openSecretDir(tempDir(), attributes)
    expect(secretDir.current()).toBeUndefined()
    secretDir.publish(first, at(0))
    expect(secretDir.current()?.text).toEqual(first)
    expect(secretDir.current()?.leaf.subject).toBe('CN=calico-node:node0')
  })

  test('is also read where somebody else has put it: as plain files, or by the kubelet', () => {
    const plain = tempDir()
    for (const [index, name] of names.entries()) writeFileSync(join(plain, name), texts(first)[index] ?? '')
    expect(openSecretDir(plain, attributes).current()?.text).toEqual(first)

    const kubelet = tempDir()
    mkdirSync(join(kubelet, '..2026_11_21_02_25_39.1234567890'))
    for (const [index, name] of names.entries()) {
      writeFileSync(join(kubelet, '..2026_11_21_02_25_39.1234567890', name), texts(second)[index] ?? '')
      symlinkSync(join('..data', name), join(kubelet, name))
    }
    symlinkSync('..2026_11_21_02_25_39.1234567890', join(kubelet, '..data'))
    const secretDir = openSecretDir(kubelet, attributes)
    expect(secretDir.current()?.text).toEqual(second)
    secretDir.publish(third, at(1))
    expect(secretDir.previous()?.text).toEqual(second)
  })

  test.each(names)('is nothing where %s is missing', (name) => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(first, at(0))
    rmSync(join(directory, '..data', name))
    expect(secretDir.current()).toBeUndefined()
    expect(secretDir.hasAttributes()).toBe(false)
    secretDir.publish(second, at(1000))
    expect(secretDir.current()?.text).toEqual(second)
  })

  test('is nothing where the generation is gone, and publishing mends it', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(first, at(0))
    rmSync(join(directory, generationsIn(directory)[0] ?? 'none'), { recursive: true })
    expect(secretDir.current()).toBeUndefined()
    secretDir.publish(second, at(1000))
    expect(readNames(directory)).toEqual(texts(second))
  })

  test('is read in small pieces where the system gives it so', () => {
    const directory = tempDir()
    const { files, calls } = createFaultyFiles(() => 'short')
    openSecretDir(directory, attributes, { files }).publish(first, at(0))
    expect(readNames(directory)).toEqual(texts(first))
    expect(openSecretDir(directory, attributes, { files }).current()?.text).toEqual(first)
    expect(calls.filter((call) => call === 'writeSync').length).toBeGreaterThan(100)
  })
})

describe('mode and owner', () => {
  const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8)

  test.each([0o000, 0o022, 0o077, 0o777])('are the configured ones whatever the umask: %o', (umask) => {
    const directory = tempDir()
    const before = process.umask(umask)
    onTestFinished(() => {
      process.umask(before)
    })
    const secretDir = openSecretDir(directory, { ...attributes, mode: 0o440 })
    secretDir.publish(first, at(0))
    const [generation = ''] = generationsIn(directory)
    expect(modeOf(join(directory, generation))).toBe('755')
    expect(names.map((name) => modeOf(join(directory, name)))).toEqual(['444', '440', '440'])
    expect(secretDir.hasAttributes()).toBe(true)
  })

  test('are never wider while the key is written', () => {
    const directory = tempDir()
    const modes = new Set<string>()
    const { files } = createFaultyFiles(() => {
      for (const generation of generationsIn(directory)) {
        for (const name of readdirSync(join(directory, generation))) {
          if (name === fileNames.key) modes.add(modeOf(join(directory, generation, name)))
        }
      }
      return undefined
    })
    openSecretDir(directory, attributes, { files }).publish(first, at(0))
    expect([...modes]).toEqual(['600', '400'])
  })

  test.runIf(isRoot)('the owner and the group are set, each where it is configured', () => {
    const owners = [
      { uid: 999, gid: 998 },
      { uid: 999, gid: undefined },
      { uid: undefined, gid: 998 },
    ]
    for (const owner of owners) {
      const directory = tempDir()
      const secretDir = openSecretDir(directory, { mode: 0o440, ...owner })
      secretDir.publish(first, at(0))
      for (const name of names) {
        const { uid, gid } = statSync(join(directory, name))
        expect({ uid, gid }).toEqual({ uid: owner.uid ?? 0, gid: owner.gid ?? 0 })
      }
      expect(names.map((name) => modeOf(join(directory, name)))).toEqual(['444', '440', '440'])
      expect(secretDir.hasAttributes()).toBe(true)
    }
  })

  test.runIf(isRoot)('that somebody has changed are noticed, and the next publication sets them again', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, { mode: 0o400, uid: 999, gid: 999 })
    const key = join(directory, fileNames.key)
    const changes = [
      () => chmodSync(key, 0o444),
      () => chownSync(key, 0, 999),
      () => chownSync(key, 999, 0),
      () => chmodSync(join(directory, fileNames.ca), 0o400),
      () => rmSync(key),
    ]
    for (const [index, change] of changes.entries()) {
      secretDir.publish(first, at(index * 1000))
      expect(secretDir.hasAttributes()).toBe(true)
      change()
      expect(secretDir.hasAttributes()).toBe(false)
    }
  })
})

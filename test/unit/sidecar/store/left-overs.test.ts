/** What a crash, or somebody else, has left in the directory before a publication. */
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles, type FileCall } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, litterIn, readNames, texts } from './bundles.ts'

const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
let first: BundleText
let second: BundleText
let third: BundleText

beforeAll(async () => {
  ;[first, second, third] = (await createBundles(3)) as [BundleText, BundleText, BundleText]
})

function publishedTwice(): string {
  const directory = tempDir()
  const secretDir = openSecretDir(directory, attributes)
  secretDir.publish(first, at(0))
  secretDir.publish(second, at(1000))
  return directory
}

describe('a stale ..data_tmp', () => {
  test.each([
    ['a link to nothing', (path: string) => symlinkSync('..2026_11_21_00_00_09.000_0', path)],
    ['a link to what is published', (path: string) => symlinkSync('..2026_11_21_00_00_01.000_0', path)],
    ['a file', (path: string) => writeFileSync(path, 'text')],
  ])('that is %s is removed', (_what, make) => {
    const directory = publishedTwice()
    make(join(directory, '..data_tmp'))
    openSecretDir(directory, attributes).publish(third, at(2000))
    expect(readNames(directory)).toEqual(texts(third))
    expect(litterIn(directory)).toEqual([])
  })

  test('that is a directory is refused, and what is published stays', () => {
    const directory = publishedTwice()
    mkdirSync(join(directory, '..data_tmp', 'deep'), { recursive: true })
    expect(() => openSecretDir(directory, attributes).publish(third, at(2000))).toThrow(
      expect.objectContaining({ code: 'directory-occupied', message: expect.stringContaining('..data_tmp') as string }),
    )
    expect(readNames(directory)).toEqual(texts(second))
    rmSync(join(directory, '..data_tmp'), { recursive: true })
    openSecretDir(directory, attributes).publish(third, at(2000))
    expect(litterIn(directory)).toEqual([])
  })
})

describe('..data that is no link', () => {
  test.each([
    ['a directory', (path: string) => mkdirSync(path)],
    ['a file', (path: string) => writeFileSync(path, 'text')],
  ])('but %s is refused and left alone', (what, make) => {
    const directory = tempDir()
    make(join(directory, '..data'))
    expect(() => openSecretDir(directory, attributes).publish(first, at(0))).toThrow(
      expect.objectContaining({ code: 'directory-occupied', message: `${directory}/..data is not a link but ${what}` }),
    )
    expect(readdirSync(directory)).toEqual(['..data'])
  })
})

describe('a generation that was never published', () => {
  test('does not count as the one before, and is removed', () => {
    const directory = publishedTwice()
    const leftOver = join(directory, '..2026_11_21_00_00_09.000_0')
    mkdirSync(leftOver)
    for (const [index, name] of ['etcd-ca', 'etcd-cert', 'etcd-key'].entries()) {
      writeFileSync(join(leftOver, name), texts(third)[index] ?? '')
    }
    const secretDir = openSecretDir(directory, attributes)
    expect(secretDir.current()?.text).toEqual(second)
    expect(secretDir.previous()?.text).toEqual(first)
    secretDir.publish(third, at(2000))
    expect(secretDir.previous()?.text).toEqual(second)
    expect(litterIn(directory)).toEqual([])
  })

  test('of the same moment does not stand in the way', () => {
    const directory = tempDir()
    for (const count of [0, 1, 2]) mkdirSync(join(directory, `..2026_11_21_00_00_00.000_${count}`))
    openSecretDir(directory, attributes).publish(first, at(0))
    expect(readNames(directory)).toEqual(texts(first))
    expect(litterIn(directory)).toEqual([])
  })
})

describe('a generation that cannot be read or removed', () => {
  test('is as good as none: a file in its place', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(first, at(1000))
    writeFileSync(join(directory, '..2026_11_21_00_00_00.000_0'), 'text')
    expect(secretDir.previous()).toBeUndefined()
    secretDir.publish(second, at(2000))
    expect(litterIn(directory)).toEqual([])
  })

  test('never stands in the way of a certificate: it stays', () => {
    const directory = publishedTwice()
    const { files, calls } = createFaultyFiles((_index, call) =>
      call === 'rmdirSync' ? { code: 'EACCES' } : undefined,
    )
    const secretDir = openSecretDir(directory, attributes, { files })
    secretDir.publish(third, at(2000))
    expect(calls).toContain('rmdirSync')
    expect(readNames(directory)).toEqual(texts(third))
    expect(generationsIn(directory)).toHaveLength(3)
    expect(secretDir.flaws()).toMatchObject([
      {
        code: 'generation-stuck',
        message: expect.stringMatching(/^\/.*\/\.\.2026_11_21_00_00_00\.000_0: EACCES/) as string,
      },
    ])
    openSecretDir(directory, attributes).publish(first, at(3000))
    expect(litterIn(directory)).toEqual([])
  })

  test('hides nothing of the one that is published', () => {
    const directory = publishedTwice()
    const withoutFiles = () => {
      let opened = 0
      // The directory itself can be opened.
      const isRefused = (call: FileCall): boolean => call === 'openSync' && ++opened > 1
      const { files } = createFaultyFiles((_index, call) => (isRefused(call) ? { code: 'EACCES' } : undefined))
      return openSecretDir(directory, attributes, { files })
    }
    expect(withoutFiles().previous()).toBeUndefined()
    expect(() => withoutFiles().current()).toThrow(expect.objectContaining({ code: 'directory-denied' }))
  })
})

/** Directories in which nothing can be published: one clear message each, and what was published stays. */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { AgentError } from '../../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../../agent/core/reason-catalog.ts'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { openSecretDir, type SecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles, type FileCall } from '../../../support/faulty-files.ts'
import { canMount, remount, tempDir, tempFileSystem } from '../../../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, litterIn, readNames, texts } from './bundles.ts'

const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
let old: BundleText
let next: BundleText

beforeAll(async () => {
  ;[old, next] = (await createBundles(2)) as [BundleText, BundleText]
})

const failure = (code: ReasonCode, message: RegExp | string): Partial<AgentError> =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Partial<AgentError>

/** Each way into a directory that is not one. */
const uses: readonly (readonly [string, (secretDir: SecretDir) => unknown])[] = [
  ['current', (secretDir) => secretDir.current()],
  ['previous', (secretDir) => secretDir.previous()],
  ['publish', (secretDir) => secretDir.publish(next, at(0))],
]

describe.each(uses)('%s', (_name, use) => {
  test('says that the directory is missing', () => {
    const directory = join(tempDir(), 'missing')
    const missing = failure('directory-missing', new RegExp(`^${directory}: ENOENT`))
    expect(() => use(openSecretDir(directory, attributes))).toThrow(missing)
  })

  test('says that a file stands in its place', () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, 'text')
    expect(() => use(openSecretDir(file, attributes))).toThrow(failure('directory-occupied', `^${file}: ENOTDIR`))
  })

  test('says that access is denied', () => {
    const directory = tempDir()
    const { files } = createFaultyFiles(() => ({ code: 'EACCES' }))
    expect(() => use(openSecretDir(directory, attributes, { files }))).toThrow(
      failure('directory-denied', `^${directory}: `),
    )
  })
})

test('in a missing directory nothing has attributes', () => {
  expect(openSecretDir('/nowhere/at/all', attributes).hasAttributes()).toBe(false)
})

describe('a full disk', () => {
  const making: readonly FileCall[] = ['mkdirSync', 'writeSync', 'symlinkSync', 'fsyncSync']

  test.each(making)('that refuses %s from now on is told, and made no fuller by the attempts', (refused) => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(old, at(0))
    const { files } = createFaultyFiles((_index, call) => (call === refused ? { code: 'ENOSPC' } : undefined))
    const full = openSecretDir(directory, attributes, { files })
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(() => full.publish(next, at(attempt * 1000))).toThrow(failure('directory-full', `^${directory}: ENOSPC`))
      expect(readNames(directory)).toEqual(texts(old))
      expect(generationsIn(directory)).toHaveLength(1)
    }
    openSecretDir(directory, attributes).publish(next, at(9000))
    expect(litterIn(directory)).toEqual([])
  })

  test('that refuses the swap leaves nothing but the old bundle', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(old, at(0))
    const { files } = createFaultyFiles((_index, call) => (call === 'renameSync' ? { code: 'EDQUOT' } : undefined))
    expect(() => openSecretDir(directory, attributes, { files }).publish(next, at(1000))).toThrow(
      failure('directory-full', 'EDQUOT'),
    )
    expect(readNames(directory)).toEqual(texts(old))
    expect(generationsIn(directory)).toHaveLength(1)
  })

  test.runIf(canMount)('in truth: without space, the old bundle stays until there is some', () => {
    const directory = tempFileSystem('size=64k')
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(old, at(0))
    const { bavail, bsize } = statfsSync(directory)
    writeFileSync(join(directory, 'ballast'), Buffer.alloc((bavail - 1) * bsize))
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(() => secretDir.publish(next, at(attempt * 1000))).toThrow(failure('directory-full', 'ENOSPC'))
      expect(readNames(directory)).toEqual(texts(old))
      expect(litterIn(directory)).toEqual(['ballast'])
    }
    rmSync(join(directory, 'ballast'))
    secretDir.publish(next, at(9000))
    expect(readNames(directory)).toEqual(texts(next))
    expect(litterIn(directory)).toEqual([])
  })

  test.runIf(canMount)('in truth: without inodes, the old bundle stays until there are some', () => {
    const directory = tempFileSystem('size=1m,nr_inodes=64')
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(old, at(0))
    const before = generationsIn(directory)
    let ballast = 0
    const addBallast = (): void => writeFileSync(join(directory, `ballast${ballast++}`), '')
    // A publication takes five: a directory, three files and a link.
    while (statfsSync(directory).ffree > 4) addBallast()
    for (let free = 4; free >= 0; free--) {
      expect(statfsSync(directory).ffree).toBe(free)
      expect(() => secretDir.publish(next, at(1000))).toThrow(failure('directory-full', 'ENOSPC'))
      expect(secretDir.current()?.text).toEqual(old)
      expect(generationsIn(directory)).toEqual(before)
      if (free > 0) addBallast()
    }
    for (let index = 0; index < 5; index++) rmSync(join(directory, `ballast${index}`))
    secretDir.publish(next, at(2000))
    expect(readNames(directory)).toEqual(texts(next))
  })
})

describe('a read-only file system', () => {
  test('refuses every change', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(old, at(0))
    const reading = new Set<FileCall>(['readdirSync', 'readlinkSync', 'lstatSync', 'statSync'])
    const { files } = createFaultyFiles((_index, call) => (reading.has(call) ? undefined : { code: 'EROFS' }))
    expect(() => openSecretDir(directory, attributes, { files }).publish(next, at(1000))).toThrow(
      failure('directory-read-only', `^${directory}: EROFS`),
    )
    expect(readNames(directory)).toEqual(texts(old))
  })

  test.runIf(canMount)('in truth: is told, read all the same, and used again once it is writable', () => {
    const directory = tempFileSystem('size=1m')
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(old, at(0))
    const before = readdirSync(directory, { recursive: true })
    remount(directory, 'ro')
    expect(() => secretDir.publish(next, at(1000))).toThrow(failure('directory-read-only', 'EROFS'))
    expect(secretDir.current()?.text).toEqual(old)
    expect(secretDir.hasAttributes()).toBe(true)
    expect(readdirSync(directory, { recursive: true })).toEqual(before)
    remount(directory, 'rw')
    secretDir.publish(next, at(2000))
    expect(readNames(directory)).toEqual(texts(next))
  })
})

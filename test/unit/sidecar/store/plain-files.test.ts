/** What the store finds under its names that it has not made: taken along, refused, or left alone. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { fileNames } from '../../../../agent/sidecar/store/published-layout.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, litterIn, readNames, texts } from './bundles.ts'

const names = Object.values(fileNames)
const at = new Date(Date.UTC(2026, 10, 21))
const later = new Date(at.getTime() + 1000)
let old: BundleText
let next: BundleText

beforeAll(async () => {
  ;[old, next] = (await createBundles(2)) as [BundleText, BundleText]
})

function writePlain(directory: string, bundle: BundleText): void {
  for (const [index, name] of names.entries())
    writeFileSync(join(directory, name), texts(bundle)[index] ?? '', { mode: 0o600 })
}

/** Publishes and looks at the directory before every system call: what a reader by name finds, each state once. */
function publishWatched(directory: string, bundle: BundleText): (string | undefined)[][] {
  const seen: (string | undefined)[][] = []
  const { files } = createFaultyFiles(() => {
    const found = readNames(directory)
    if (JSON.stringify(found) !== JSON.stringify(seen.at(-1))) seen.push(found)
    return undefined
  })
  openSecretDir(directory, attributes, { files }).publish(bundle, later)
  return seen
}

describe('plain files under our names (a copied Secret)', () => {
  test('are taken along: every reader finds the old three or the new three', () => {
    const directory = tempDir()
    writePlain(directory, old)
    expect(publishWatched(directory, next)).toEqual([texts(old), texts(next)])
    expect(names.every((name) => lstatSync(join(directory, name)).isSymbolicLink())).toBe(true)
    expect(openSecretDir(directory, attributes).previous()?.text).toEqual(old)
    expect(litterIn(directory)).toEqual([])
  })

  test('keep their mode until the swap', () => {
    const directory = tempDir()
    writePlain(directory, old)
    chmodSync(join(directory, fileNames.certificate), 0o644)
    openSecretDir(directory, attributes).publish(next, later)
    const adopted = generationsIn(directory).toSorted()[0] ?? ''
    const modeOf = (name: string): number => lstatSync(join(directory, adopted, name)).mode & 0o777
    expect(names.map(modeOf)).toEqual([0o600, 0o644, 0o600])
  })

  test('are taken along one by one, where not all of them are there', () => {
    const directory = tempDir()
    writeFileSync(join(directory, fileNames.ca), old.ca)
    expect(publishWatched(directory, next)).toEqual([[old.ca, undefined, undefined], texts(next)])
    expect(litterIn(directory)).toEqual([])
  })

  test('that somebody has written over the links give way to what is published, never to a mixture', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(old, at)
    // What `cp new-key etcd-key` with --remove-destination leaves behind.
    rmSync(join(directory, fileNames.key))
    writeFileSync(join(directory, fileNames.key), 'another key')
    const mixed = [old.ca, old.certificate, 'another key']
    expect(publishWatched(directory, next)).toEqual([mixed, texts(old), texts(next)])
  })

  test('are taken along too where ..data names nothing', () => {
    const directory = tempDir()
    symlinkSync('..2026_01_01_00_00_00.1', join(directory, '..data'))
    writePlain(directory, old)
    const seen = publishWatched(directory, next)
    expect(seen).toEqual([texts(old), texts(next)])
  })

  test('with garbage in them are replaced, and their bytes are copied nowhere', () => {
    const directory = tempDir()
    for (const name of names) writeFileSync(join(directory, name), 'garbage')
    expect(() => openSecretDir(directory, attributes).current()).toThrow(expect.objectContaining({ code: 'malformed' }))
    openSecretDir(directory, attributes).publish(next, later)
    expect(readNames(directory)).toEqual(texts(next))
    expect(openSecretDir(directory, attributes).previous()).toBeUndefined()
    expect(generationsIn(directory)).toHaveLength(1)
  })

  test('with something before and after the certificates are taken along without it', () => {
    const directory = tempDir()
    writePlain(directory, old)
    writeFileSync(join(directory, fileNames.ca), `a token\n${old.ca}another token\n`)
    openSecretDir(directory, attributes).publish(next, later)
    expect(openSecretDir(directory, attributes).previous()?.text).toEqual(old)
  })
})

describe('links under our names', () => {
  const targets: readonly (readonly [string, (elsewhere: string) => string])[] = [
    ['a file elsewhere', (elsewhere) => elsewhere],
    ['a directory', () => '..'],
    ['a named pipe', (elsewhere) => `${elsewhere}.pipe`],
    ['nothing', () => '/nowhere/at/all'],
    ['a device', () => '/dev/zero'],
  ]

  test.each(targets)('to %s are not followed, and are replaced without touching what they name', (_what, targetOf) => {
    const elsewhere = tempDir()
    const directory = tempDir()
    writePlain(elsewhere, old)
    for (const name of names) {
      execFileSync('mkfifo', [join(elsewhere, `${name}.pipe`)])
      symlinkSync(targetOf(join(elsewhere, name)), join(directory, name))
    }
    const secretDir = openSecretDir(directory, attributes)
    expect(() => secretDir.current()).toThrow(expect.objectContaining({ code: 'malformed' }))
    secretDir.publish(next, later)
    expect(secretDir.current()?.text).toEqual(next)
    expect(secretDir.previous()).toBeUndefined()
    expect(readNames(elsewhere)).toEqual(texts(old))
  })

  test('to themselves are replaced', () => {
    const directory = tempDir()
    for (const name of names) symlinkSync(name, join(directory, name))
    openSecretDir(directory, attributes).publish(next, later)
    expect(readNames(directory)).toEqual(texts(next))
  })

  test('through ..data by an absolute path become relative ones', () => {
    const directory = tempDir()
    openSecretDir(directory, attributes).publish(old, at)
    for (const name of names) {
      rmSync(join(directory, name))
      symlinkSync(join(directory, '..data', name), join(directory, name))
    }
    expect(publishWatched(directory, next)).toEqual([texts(old), texts(next)])
    const moved = `${directory}-moved`
    renameSync(directory, moved)
    expect(readNames(moved)).toEqual(texts(next))
    renameSync(moved, directory)
  })
})

describe('what is not a file that could be taken along is refused and left alone', () => {
  const places: readonly (readonly [string, (path: string) => void])[] = [
    ['a directory', (path) => mkdirSync(path)],
    ['a directory with files', (path) => mkdirSync(join(path, 'deep'), { recursive: true })],
    ['a named pipe', (path) => execFileSync('mkfifo', [path])],
    ['a file of 2 MiB', (path) => writeFileSync(path, Buffer.alloc(2 * 1024 * 1024))],
  ]

  test.each(places)('%s', (_what, make) => {
    for (const name of names) {
      const directory = tempDir()
      make(join(directory, name))
      const before = readdirSync(directory)
      const publish = (): unknown => openSecretDir(directory, attributes).publish(next, later)
      expect(publish).toThrow(expect.objectContaining({ code: 'directory-occupied' }))
      expect(publish).toThrow(new RegExp(`^${join(directory, name)} is `))
      expect(readdirSync(directory)).toEqual(before)
    }
  })

  test('a named pipe in a generation does not hang a reader either', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(old, at)
    rmSync(join(directory, '..data', fileNames.key))
    execFileSync('mkfifo', [join(directory, '..data', fileNames.key)])
    expect(() => secretDir.current()).toThrow(expect.objectContaining({ code: 'malformed' }))
    expect(secretDir.hasAttributes()).toBe(false)
    secretDir.publish(next, later)
    expect(secretDir.current()?.text).toEqual(next)
    expect(secretDir.previous()).toBeUndefined()
  })

  test('a huge file in a generation is malformed, and gives way to the next publication', () => {
    const directory = tempDir()
    const secretDir = openSecretDir(directory, attributes)
    secretDir.publish(old, at)
    rmSync(join(directory, '..data', fileNames.ca))
    writeFileSync(join(directory, '..data', fileNames.ca), Buffer.alloc(10 * 1024 * 1024))
    expect(() => secretDir.current()).toThrow(/etcd-ca has 10485760 bytes; more than 1048576 are not read/)
    secretDir.publish(next, later)
    expect(secretDir.current()?.text).toEqual(next)
  })
})

test('foreign files and directories are never touched', () => {
  const directory = tempDir()
  const foreign = ['readme.txt', '.hidden', '..other', '..2026', 'etcd-ca.bak', 'calico-tls/etcd-key', '..data2/file']
  for (const name of foreign) {
    mkdirSync(join(directory, name, '..'), { recursive: true })
    writeFileSync(join(directory, name), name)
  }
  const secretDir = openSecretDir(directory, attributes)
  for (const bundle of [old, next, old]) secretDir.publish(bundle, later)
  for (const name of foreign) expect(readFileSync(join(directory, name), 'utf8')).toBe(name)
  expect(existsSync(join(directory, '..data_tmp'))).toBe(false)
})

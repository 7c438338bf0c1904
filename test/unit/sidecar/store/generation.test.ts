import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemFiles } from '../../../../agent/core/files.ts'
import {
  createGeneration,
  type FileContent,
  generationBefore,
  generationsIn,
  removeGenerationsBut,
} from '../../../../agent/sidecar/store/generation.ts'
import { withDirectory } from '../../../../agent/sidecar/store/open-directory.ts'
import { createFaultyFiles } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const at = new Date('2026-11-21T02:25:39.412Z')
const noOwner = { uid: undefined, gid: undefined }

function create(path: string, contents: FileContent[], time: Date, files = systemFiles): string {
  return withDirectory(files, path, (directory) => createGeneration(directory, contents, noOwner, time))
}

describe('a new generation', () => {
  test('is named after its time in UTC, with a number for each of the same millisecond', () => {
    const path = tempDir()
    expect(create(path, [], at)).toBe('..2026_11_21_02_25_39.412_0')
    expect(create(path, [], at)).toBe('..2026_11_21_02_25_39.412_1')
    expect(create(path, [], new Date(at.getTime() + 1))).toBe('..2026_11_21_02_25_39.413_0')
  })

  test('holds the files with their texts and modes', () => {
    const path = tempDir()
    const contents: FileContent[] = [
      ['a', 'größe', 0o400],
      ['b', '', 0o644],
    ]
    const name = create(path, contents, at)
    expect(readFileSync(join(path, name, 'a'), 'utf8')).toBe('größe')
    expect(['a', 'b'].map((file) => statSync(join(path, name, file)).mode & 0o777)).toEqual([0o400, 0o644])
  })

  test('is durable: every file before the directory that names it', () => {
    const { files, calls } = createFaultyFiles(() => undefined)
    const contents: FileContent[] = [
      ['a', 'text', 0o400],
      ['b', 'text', 0o400],
    ]
    create(tempDir(), contents, at, files)
    const order = calls.filter((call) => ['writeSync', 'fchmodSync', 'fsyncSync', 'closeSync'].includes(call))
    const file = ['writeSync', 'fchmodSync', 'fsyncSync', 'closeSync']
    // The generation, and the directory above it.
    expect(order).toEqual([...file, ...file, 'fsyncSync', 'closeSync', 'closeSync'])
  })

  test('that fails leaves nothing behind', () => {
    const path = tempDir()
    const { files } = createFaultyFiles((_index, call) => (call === 'fchmodSync' ? { code: 'EPERM' } : undefined))
    expect(() => create(path, [['a', 'text', 0o400]], at, files)).toThrow(expect.objectContaining({ code: 'EPERM' }))
    expect(readdirSync(path)).toEqual([])
  })

  test('gives up where a hundred of the same millisecond are there', () => {
    const path = tempDir()
    for (let count = 0; count <= 100; count++) mkdirSync(join(path, `..2026_11_21_02_25_39.412_${count}`))
    expect(() => create(path, [], at)).toThrow(expect.objectContaining({ code: 'EEXIST' }))
  })
})

describe('the generation before', () => {
  const beforeIn = (path: string, published: string | undefined): string | undefined =>
    withDirectory(systemFiles, path, (directory) => generationBefore(generationsIn(directory), published))

  const [a, b, c] = ['..2026_01_01_00_00_00.000_0', '..2026_01_02_00_00_00.000_0', '..2026_01_03_00_00_00.000_0']

  test.each([
    [[], undefined, undefined],
    [[a], a, undefined],
    [[a, b], b, a],
    [[a, b, c], c, b],
    [[a, b, c], b, a],
    [[b, c], b, c],
    [[a, b], undefined, b],
    [[a, b], 'a link elsewhere', b],
  ])('of %j with %s published is %s', (existing, published, before) => {
    const path = tempDir()
    for (const name of existing) mkdirSync(join(path, name))
    expect(beforeIn(path, published)).toBe(before)
  })

  test('is in order of time for all times', () => {
    const time = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(fc.uniqueArray(time, { minLength: 2, maxLength: 5, selector: Number }), (times) => {
        const path = tempDir()
        const inOrder = times.toSorted((one, other) => one.getTime() - other.getTime())
        const names = new Map(times.map((each) => [each, create(path, [], each)]))
        const [last, beforeLast] = inOrder.toReversed().map((each) => names.get(each))
        expect(beforeIn(path, last)).toBe(beforeLast)
      }),
      { numRuns: 30 },
    )
  })
})

test('all but some are removed, ours and those of the kubelet, and nothing else', () => {
  const path = tempDir()
  const ours = ['..2026_01_01_00_00_00.000_0', '..2026_01_02_00_00_00.000_0', '..2026_01_03_00_00_00.1234567890']
  const others = ['..data', '..data_tmp', '..2026_01_01', '2026_01_01_00_00_00.000_0', '..2026_01_01_00_00_00.0 .bak']
  for (const name of [...ours, ...others]) mkdirSync(join(path, name))
  writeFileSync(join(path, ours[0] ?? '', 'file'), 'text')
  withDirectory(systemFiles, path, (directory) =>
    removeGenerationsBut(directory, generationsIn(directory), [ours[1], undefined]),
  )
  expect(new Set(readdirSync(path))).toEqual(new Set([ours[1], ...others]))
})

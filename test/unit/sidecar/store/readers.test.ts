/** Readers beside a publisher: whoever resolves ..data once has one generation, at any moment. */
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { fileNames } from '../../../../agent/sidecar/store/published-layout.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles, readNames, readResolved, texts } from './bundles.ts'

const names = Object.values(fileNames)
const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
let bundles: BundleText[]

beforeAll(async () => {
  bundles = await createBundles(4)
})

const bundleAt = (index: number): BundleText => bundles[index % bundles.length] ?? bundles[0]!

test('between any two system calls of a publication, a reader finds the old three files or the new three', () => {
  const directory = tempDir()
  openSecretDir(directory, attributes).publish(bundleAt(0), at(0))
  for (let round = 1; round <= 6; round++) {
    const seen: string[] = []
    const { files } = createFaultyFiles(() => {
      const found = readResolved(directory)
      expect(readNames(directory)).toEqual(found)
      if (JSON.stringify(found) !== seen.at(-1)) seen.push(JSON.stringify(found))
      return undefined
    })
    openSecretDir(directory, attributes, { files }).publish(bundleAt(round), at(round))
    expect(seen).toEqual([bundleAt(round - 1), bundleAt(round)].map((bundle) => JSON.stringify(texts(bundle))))
  }
})

test('a reader that has resolved ..data can go on reading after the next publication', () => {
  const directory = tempDir()
  const secretDir = openSecretDir(directory, attributes)
  secretDir.publish(bundleAt(0), at(0))
  const generation = join(directory, readlinkSync(join(directory, '..data')))
  secretDir.publish(bundleAt(1), at(1))
  expect(readNames(generation)).toEqual(texts(bundleAt(0)))
})

describe('our own reading', () => {
  test('is of one generation, although another one is published before any of its system calls', () => {
    for (let moment = 0; moment < 20; moment++) {
      const directory = tempDir()
      const publisher = openSecretDir(directory, attributes)
      publisher.publish(bundleAt(0), at(0))
      const { files } = createFaultyFiles((index) => {
        if (index === moment) publisher.publish(bundleAt(1), at(1))
        return undefined
      })
      const found = openSecretDir(directory, attributes, { files }).current()
      expect([bundleAt(0), bundleAt(1)]).toContainEqual(found?.text)
    }
  })

  test('begins again where the kubelet has removed the generation, as it does at once', () => {
    for (let moment = 0; moment < 20; moment++) {
      const directory = tempDir()
      let swaps = 0
      const swap = (): void => {
        const generation = `..2026_11_21_00_00_00.${swaps}`
        mkdirSync(join(directory, generation))
        for (const [index, name] of names.entries()) {
          writeFileSync(join(directory, generation, name), texts(bundleAt(swaps))[index] ?? '')
        }
        symlinkSync(generation, join(directory, '..data_tmp'))
        renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
        rmSync(join(directory, `..2026_11_21_00_00_00.${swaps - 1}`), { recursive: true, force: true })
        swaps++
      }
      swap()
      const { files } = createFaultyFiles((index) => {
        if (index === moment) swap()
        return undefined
      })
      const found = openSecretDir(directory, attributes, { files }).current()
      expect([bundleAt(0), bundleAt(1)]).toContainEqual(found?.text)
    }
  })
})

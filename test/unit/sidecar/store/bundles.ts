/** Owns bundles for the tests of the store, and how a published directory looks from outside. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { fileNames } from '../../../../agent/sidecar/store/published-layout.ts'
import { createCa } from '../../../support/certificates.ts'
import { bundleOf } from '../../pki/parsed.ts'

export const attributes = { mode: 0o400, uid: undefined, gid: undefined }

/** Bundles that differ in all three files. */
export async function createBundles(count: number): Promise<BundleText[]> {
  const bundles: BundleText[] = []
  for (let index = 0; index < count; index++) {
    const ca = await createCa({ commonName: `CA ${index}` })
    bundles.push(bundleOf(await ca.issue({ commonName: `calico-node:node${index}` }), [ca]).text)
  }
  return bundles
}

/** The texts of the three files, in the order ca, certificate, key. */
export function texts(bundle: BundleText): string[] {
  return [bundle.ca, bundle.certificate, bundle.key.reveal()]
}

/** What a reader finds that opens the three files one after the other; undefined in the place of a missing one. */
export function readNames(directory: string): (string | undefined)[] {
  return Object.values(fileNames).map((name) => {
    try {
      return readFileSync(join(directory, name), 'utf8')
    } catch {
      return undefined
    }
  })
}

/** What a reader finds that resolves ..data once. */
export function readResolved(directory: string): (string | undefined)[] {
  return readNames(resolve(directory, readlinkSync(join(directory, '..data'))))
}

export function generationsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^\.\.\d/.test(name))
}

/** Everything in a directory but what a published one consists of: the links and at most two generations. */
export function litterIn(directory: string): string[] {
  const expected = new Set(['..data', ...Object.values(fileNames)])
  const generations = generationsIn(directory)
  const others = readdirSync(directory).filter((name) => !expected.has(name) && !generations.includes(name))
  return generations.length > 2 ? [...others, ...generations] : others
}

/**
 * Owns reading a bundle that somebody whom the operator trusts has put on the node: a mounted Secret, or files of configuration
 * management, which may be links. Nothing is written there.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readSmallFile, systemFiles, translateFileErrors, unlessCode } from '../../core/files.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { dataLink, readBundle } from './published-layout.ts'
import type { SecretDir } from './secret-dir.ts'

/** The kubelet may swap while we read; it does not do so three times in a row. */
const readAttempts = 3

/** The part of a published directory that a static one has. */
export type StaticDir = Pick<SecretDir, 'path' | 'current'>

export function openStaticDir(path: string): StaticDir {
  return { path, current: () => translateFileErrors(path, () => readStatic(path)) }
}

function readStatic(path: string): Bundle | undefined {
  readdirSync(path) // Says that the directory is missing, which a missing file would hide.
  for (let attempt = 1; ; attempt++) {
    const place = placeOf(path)
    const bundle = unlessCode(['ENOENT'], () =>
      readBundle(place, (name) => readSmallFile(systemFiles, join(place, name))),
    )
    if (bundle !== undefined || placeOf(path) === place || attempt === readAttempts) return bundle
  }
}

/** The directory that `..data` names at this moment: its files never change. Without the link, the directory itself. */
export function placeOf(path: string): string {
  try {
    return resolve(path, readlinkSync(join(path, dataLink)))
  } catch {
    return path
  }
}

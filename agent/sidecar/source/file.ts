/**
 * Owns reading certificates that are made elsewhere from a directory that configuration management, a CSI driver or a projected
 * Secret fills. Three files are read as one: through `..data` if there is one, else again until none has changed meanwhile.
 */
import { join } from 'node:path'
import type { SourceConfig } from '../../config/source.ts'
import { AgentError, messageOf } from '../../core/errors.ts'
import { isFileError, readSmallFile, systemFiles, unlessCode } from '../../core/files.ts'
import { Secret } from '../../core/secret.ts'
import { fingerprintFiles, fingerprintTimes } from '../store/fingerprint.ts'
import { placeOf } from '../store/static-dir.ts'
import { createDeliveredSource, type Delivered, type Part } from './delivered.ts'
import type { BundleSource } from './source.ts'

/** The writer is at work; it tells when it has finished, as the directory is watched. */
const attempts = 3

export function createFileSource({
  directories,
  fields,
  pollMs,
}: Extract<SourceConfig, { kind: 'file' }>): BundleSource {
  return createDeliveredSource({
    fingerprintOf: (component) => fingerprintFiles(filesOf(placeOf(directories[component] ?? ''), fields)),
    pollMs,
    // Synchronous inside: nothing of our own comes between.
    read: async ({ component }) => await Promise.resolve().then(() => readWhole(directories[component] ?? '', fields)),
  })
}

function readWhole(directory: string, fields: Readonly<Record<Part, string | undefined>>): Delivered {
  for (let attempt = 1; ; attempt++) {
    const place = placeOf(directory)
    const files = filesOf(place, fields)
    const before = fingerprintTimes(files)
    try {
      const delivered = readParts(directory, place, fields)
      if (fingerprintTimes(files) === before && placeOf(directory) === place) return delivered
    } catch (error) {
      // What has just been swapped away is not missing.
      if (placeOf(directory) === place || attempt === attempts) throw error
    }
    if (attempt === attempts) throw new AgentError('source-incomplete', `${directory} is just being written`)
  }
}

function filesOf(place: string, fields: Readonly<Record<Part, string | undefined>>): string[] {
  return Object.values(fields).flatMap((field) => (field === undefined ? [] : [join(place, field)]))
}

function readParts(directory: string, place: string, fields: Readonly<Record<Part, string | undefined>>): Delivered {
  const missing: string[] = []
  const read = (part: Part): string | undefined => {
    const field = fields[part]
    if (field === undefined) return undefined
    const text = readIfThere(join(place, field)) ?? ''
    if (text.trim() === '') missing.push(field)
    return text
  }
  const [certificate = '', key = '', ca] = [read('certificate'), read('key'), read('ca')]
  if (missing.length > 0) {
    const isEmpty = missing.length === Object.values(fields).filter((field) => field !== undefined).length
    throw new AgentError(
      isEmpty ? 'source-empty' : 'source-incomplete',
      `${directory}: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing or empty`,
    )
  }
  return { certificate, key: new Secret(key), ca, nameOf: (part) => join(directory, fields[part] ?? part) }
}

function readIfThere(path: string): string | undefined {
  try {
    return unlessCode(['ENOENT', 'ENOTDIR'], () => readSmallFile(systemFiles, path))
  } catch (cause) {
    if (!isFileError(cause)) throw cause
    throw new AgentError('source-unreadable', messageOf(cause), { cause })
  }
}

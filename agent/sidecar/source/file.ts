/**
 * Owns reading certificates that are made elsewhere from a directory that configuration management, a CSI driver or a projected
 * Secret fills. Three files are read as one: through `..data` if there is one, else again until none has changed meanwhile.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { SourceConfig } from '../../config/source.ts'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { readSmallFile, systemFiles, UnfitFileError } from '../../core/files.ts'
import { Secret } from '../../core/secret.ts'
import { fingerprintFiles } from '../store/fingerprint.ts'
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
    const before = stateOf(files)
    try {
      const delivered = readParts(directory, place, fields)
      if (stateOf(files) === before && placeOf(directory) === place) return delivered
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

/** What changes whenever a file is written or replaced. Reading says why one cannot be had. */
function stateOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const stat = statSync(file, { bigint: true })
        return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':')
      } catch (error) {
        return systemCode(error)
      }
    })
    .join()
}

function readParts(directory: string, place: string, fields: Readonly<Record<Part, string | undefined>>): Delivered {
  const missing: string[] = []
  const read = (part: Part): string | undefined => {
    const field = fields[part]
    if (field === undefined) return undefined
    try {
      const text = readSmallFile(systemFiles, join(place, field))
      if (text.trim() !== '') return text
    } catch (cause) {
      if (!['ENOENT', 'ENOTDIR'].includes(systemCode(cause))) throw translate(cause)
    }
    missing.push(field)
    return ''
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

function translate(cause: unknown): unknown {
  if (cause instanceof UnfitFileError) return new AgentError('source-unreadable', cause.message, { cause })
  if (systemCode(cause) === '') return cause
  return new AgentError('source-unreadable', messageOf(cause), { cause })
}

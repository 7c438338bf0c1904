/**
 * Owns a program that reads certificate and key without a pause while somebody rotates them, until its standard input ends: in the
 * way of Go's etcd client (certificate, then key, each by its name) and in the way of a reader that resolves `..data` once. Writes a
 * JSON line with what it found every thousand pairs.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, readlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface Readings {
  /** Pairs that were read in each of the two ways. */
  readonly pairs: number
  /** Certificate and key of two generations: by names, and resolved once. */
  readonly tornByName: number
  readonly tornResolved: number
  /** Something was not there; by name that must never be. */
  readonly missingByName: number
  readonly certificates: number
}

const [directory = ''] = process.argv.slice(2)
/** The key of every certificate, proven once. */
const keys = new Map<string, string>()
const found = { pairs: 0, tornByName: 0, tornResolved: 0, missingByName: 0, certificates: 0 }

process.stdin.on('end', () => process.exit(0)).resume()
run()

function run(): void {
  for (let count = 0; count < 1000; count++) {
    const named = readPair(directory)
    if (named === undefined) found.missingByName++
    else if (!belongs(named)) found.tornByName++
    // Two publications while it reads: its generation is gone, and it resolves again.
    const resolved = readPair(resolveGeneration())
    if (resolved !== undefined && !belongs(resolved)) found.tornResolved++
    if (resolved !== undefined) found.pairs++
  }
  found.certificates = keys.size
  writeSync(1, `${JSON.stringify(found)}\n`)
  setImmediate(run)
}

/** Another agent's directory has no `..data`: then both ways are the same. */
function resolveGeneration(): string {
  try {
    return join(directory, readlinkSync(join(directory, '..data')))
  } catch {
    return directory
  }
}

function readPair(path: string): [cert: string, key: string] | undefined {
  try {
    return [readFileSync(join(path, 'etcd-cert'), 'latin1'), readFileSync(join(path, 'etcd-key'), 'latin1')]
  } catch {
    return undefined
  }
}

function belongs([cert, key]: readonly [string, string]): boolean {
  if (keys.get(cert) === key) return true
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return false
  } catch {
    return false
  }
  keys.set(cert, key)
  return true
}

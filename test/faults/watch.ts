/**
 * Owns the eyes on one target's directory while something is done to the agent: a reader that resolves the generation once, as
 * often as it can, and proves every pair that it has not seen yet. It counts what must never be.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { parseCertificates } from '../../agent/pki/certificate.ts'

export interface DirectoryWatch {
  /** Readings that found no complete set where there had been one. */
  readonly lost: number
  /** Sets that were found and would not work: torn, expired when they appeared, not trusted, of another name. */
  readonly bad: readonly string[]
  /** Different certificates so far. */
  readonly seen: number
  /** Milliseconds since the epoch when the set in place stops working. */
  readonly notAfterMs: number
  /** A line of every private key that was published: a canary for every output. */
  readonly keyLines: ReadonlySet<string>
  /** Looks once more and ends. */
  stop(): void
}

/** Often enough to meet a publication half-way. */
const eachMs = 5
const names = ['etcd-ca', 'etcd-cert', 'etcd-key'] as const

export function watchDirectory(directory: string, commonName: string, everyMs = eachMs): DirectoryWatch {
  const bad: string[] = []
  const keyLines = new Set<string>()
  const proven = new Set<string>()
  let lost = 0
  let seen = 0
  let notAfterMs = 0
  let lastText = ''

  function look(): void {
    const found = readSet(directory)
    if (found === undefined) {
      if (seen > 0) lost++
      return
    }
    const text = found.join('')
    if (text === lastText) return
    lastText = text
    if (proven.has(text)) return
    proven.add(text)
    seen++
    const problem = problemOf(found, commonName)
    if (problem !== undefined) bad.push(problem)
    notAfterMs = Date.parse(new X509Certificate(found[1]).validTo)
    keyLines.add(found[2].split('\n')[1] ?? '')
  }

  look()
  const timer = setInterval(look, everyMs)
  return {
    get lost() {
      return lost
    },
    bad,
    get seen() {
      return seen
    },
    get notAfterMs() {
      return notAfterMs
    },
    keyLines,
    stop() {
      clearInterval(timer)
      look()
    },
  }
}

/** A generation may be removed while it is read, after two further publications: then the reader resolves again. */
function readSet(directory: string): [string, string, string] | undefined {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const generation = join(directory, readlinkSync(join(directory, '..data')))
      return names.map((name) => readFileSync(join(generation, name), 'utf8')) as [string, string, string]
    } catch {}
  }
  return undefined
}

function problemOf([ca, cert, key]: readonly [string, string, string], commonName: string): string | undefined {
  try {
    const leaf = new X509Certificate(cert)
    const now = Date.now()
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return 'certificate and key of two generations'
    if (leaf.subject !== `CN=${commonName}`) return `another name: ${leaf.subject}`
    if (Date.parse(leaf.validFrom) > now || Date.parse(leaf.validTo) <= now) return 'not valid at this time'
    const isTrusted = parseCertificates(ca).some((issuer) => leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey))
    return isTrusted ? undefined : 'not signed by a CA of its set'
  } catch (error) {
    return `cannot be parsed: ${String(error)}`
  }
}

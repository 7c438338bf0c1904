/** Owns the files that a setup names: found beside the setup's own file, read, and checked before anything is asked of Vault. */
import { createPublicKey } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { ConfigError, messageOf } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import type { FileRef, Setup } from './setup.ts'

type Check = (text: string) => unknown

/**
 * @param setupFile where the setup was read from
 * @returns texts by the names in the setup
 * @throws ConfigError with every file that cannot be used
 */
export function readNamedFiles(setup: Setup, setupFile: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  const problems: string[] = []
  for (const [{ name }, check] of namedFiles(setup)) {
    try {
      const text = readSmallFile(systemFiles, resolve(dirname(setupFile), name)).trim()
      check(text)
      texts.set(name, text)
    } catch (error) {
      problems.push(`${setupFile}: ${name}: ${messageOf(error)}`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return texts
}

function namedFiles({ auth, pki }: Setup): [FileRef, Check][] {
  const files: [FileRef | undefined, Check][] = []
  if (auth.method === 'jwt') {
    if ('files' in auth.keys) files.push(...auth.keys.files.map((file): [FileRef, Check] => [file, checkKey]))
    else files.push([auth.keys.ca, parseCertificates])
  }
  if (auth.method === 'kubernetes') files.push([auth.ca, parseCertificates], [auth.reviewerToken, checkToken])
  if (pki.ca.from === 'intermediate') files.push([pki.ca.certificate, parseCertificates])
  return files.filter((entry): entry is [FileRef, Check] => entry[0] !== undefined)
}

/** A key or a certificate that holds one, as Vault takes them. Never a private one: Node would take its public half. */
function checkKey(text: string): void {
  if (/PRIVATE KEY/.test(text)) throw new Error('this is a private key; name the public one (sa.pub)')
  createPublicKey(text)
}

function checkToken(text: string): void {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) throw new Error('this is no service-account token')
}

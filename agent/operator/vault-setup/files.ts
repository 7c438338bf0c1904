/** Owns the files that a setup names: found beside the setup's own file, read, and checked before anything is asked of Vault. */
import { createPublicKey } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { ConfigError, messageOf } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import type { FileRef, FileTexts, Setup } from './setup.ts'

/**
 * @param setupFile where the setup was read from
 * @throws ConfigError with every file that cannot be used
 */
export function readNamedFiles(setup: Setup, setupFile: string): FileTexts {
  const texts = new Map<string, string>()
  const problems: string[] = []
  for (const { name, kind } of namedFiles(setup)) {
    try {
      const text = readSmallFile(systemFiles, resolve(dirname(setupFile), name)).trim()
      checks[kind](text)
      texts.set(name, text)
    } catch (error) {
      problems.push(`${setupFile}: ${name}: ${messageOf(error)}`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return texts
}

function namedFiles({ auth, pki: { ca } }: Setup): FileRef[] {
  const files: (FileRef | undefined)[] = []
  if (auth.method === 'jwt') files.push(...('files' in auth.keys ? auth.keys.files : [auth.keys.ca]))
  if (auth.method === 'kubernetes') files.push(auth.ca, auth.reviewerToken)
  if (ca.from === 'intermediate') files.push(ca.certificate)
  return files.filter((file) => file !== undefined)
}

/** Each throws if the text is of no use. */
const checks: Readonly<Record<FileRef['kind'], (text: string) => unknown>> = {
  certificates: parseCertificates,
  key: checkKey,
  token: checkToken,
}

/** A key or a certificate that holds one, as Vault takes them. Never a private one: Node would take its public half. */
function checkKey(text: string): void {
  if (/PRIVATE KEY/.test(text)) throw new Error('this is a private key; name the public one (sa.pub)')
  createPublicKey(text)
}

function checkToken(text: string): void {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) throw new Error('this is no service-account token')
}

/**
 * Owns what no program under test may ever say: the tokens in its environment, and the keys and tokens in the files that its
 * environment names. Every program that the tests start is held against it.
 */
import { readFileSync } from 'node:fs'

const fileNames = /(_KEY_FILE|_TOKEN_FILE|SECRET_ID_FILE|VAULT_CLIENT_KEY)$/
/** Shorter ones stand in any text by chance. */
const shortest = 16

/** To be called when the program starts, as the files may change. @returns what of its output is a secret, by variable */
export function watchSecrets(env: Readonly<Record<string, string | undefined>>): (output: string) => string[] {
  const secrets: [name: string, secret: string][] = []
  for (const [name, value = ''] of Object.entries(env)) {
    const text = name === 'VAULT_TOKEN' ? value : fileNames.test(name) ? readText(value) : ''
    const secret = essence(text.trim())
    if (secret.length >= shortest) secrets.push([name, secret])
  }
  return (output) => secrets.filter(([, secret]) => output.includes(secret)).map(([name]) => name)
}

/** The part without which it is of no use: the first line of a key, the signature of a JWT. */
function essence(text: string): string {
  if (text.startsWith('-----BEGIN')) return text.split('\n')[1] ?? ''
  return /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(text)?.[1] ?? text
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, 65_536)
  } catch {
    return ''
  }
}

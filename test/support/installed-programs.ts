/** Owns the programs that a reader of the documents has installed: short scripts in front of everything else on the PATH. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const node = process.execPath

/** Scripts for bash by the programs' names. */
export type Programs = Readonly<Record<string, string>>

/** This project's, by the names that the documents use, and Vault's. */
export const ownPrograms: Programs = {
  'calico-vault-agent': `exec '${node}' '${join(root, 'dist/main.js')}' "$@"`,
  npx: `[ "$1" = calico-vault-agent ]; shift; exec '${node}' '${join(root, 'dist/main.js')}' "$@"`,
  node: `[ "$1" = /app/main.js ]; shift; exec '${node}' '${join(root, 'dist/main.js')}' "$@"`,
  vault: `exec '${node}' '${join(root, 'test/support/vault-cli.ts')}' "$@"`,
}

/** What PATH is with them. @param directory gets a directory `bin` */
export function installPrograms(directory: string, programs: Programs = ownPrograms): string {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/bash\nset -e\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return `${bin}:${process.env['PATH'] ?? ''}`
}

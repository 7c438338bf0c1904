/** Owns the demo's files: one scratch directory that goes with the process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function createTempDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `calico-vault-agent-demo-${name}-`))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function createTempFile(name: string, text: string): string {
  const file = join(createTempDirectory('file'), name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

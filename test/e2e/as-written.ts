/** Owns running commands of the documents as they are written, where kubectl is the one of this cluster. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireServer } from '../servers/locate.ts'
import type { Ended } from '../support/command.ts'
import { runCommands } from '../support/documents.ts'
import type { Cluster } from './cluster.ts'

/** @param here what stands in the document, and what it is here */
export async function runAsWritten(
  { directory }: Pick<Cluster, 'directory'>,
  commands: string,
  here: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  const { path } = requireServer('kubernetes')
  const script = `#!/bin/sh\nexec '${path}' kubectl --kubeconfig '${directory}/admin.kubeconfig' "$@"\n`
  writeFileSync(join(bin, 'kubectl'), script)
  chmodSync(join(bin, 'kubectl'), 0o755)
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: directory }
  return await runCommands(commands, { directory, env, here })
}

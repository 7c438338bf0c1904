/** Owns running commands of the documents as they are written, where kubectl is the one of this cluster. */
import { requireServer } from '../servers/locate.ts'
import type { Ended } from '../support/command.ts'
import { runCommands } from '../support/documents.ts'
import { installPrograms } from '../support/installed-programs.ts'
import type { Cluster } from './cluster.ts'

/** @param here what stands in the document, and what it is here */
export async function runAsWritten(
  { directory }: Pick<Cluster, 'directory'>,
  commands: string,
  here: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { path } = requireServer('kubernetes')
  const kubectl = `exec '${path}' kubectl --kubeconfig '${directory}/admin.kubeconfig' "$@"`
  const env = { PATH: installPrograms(directory, { kubectl }), HOME: directory }
  return await runCommands(commands, { directory, env, here })
}

/** Owns reading where the CNI plugin on the host finds its certificate, and which target it is. */
import { join } from 'node:path'
import { type EnvironmentReader, quote } from './reader.ts'
import { plainPath, type TargetPath } from './target.ts'

export interface HostCniConfig {
  /** The host's /etc/cni/net.d as it is mounted here. */
  readonly directory: string
  readonly component: string
}

/** What install-cni calls the directory of the copy. */
export const hostCopyName = 'calico-tls'

export function readHostCni(reader: EnvironmentReader, targets: readonly TargetPath[]): HostCniConfig | undefined {
  const directory = reader.absolutePath('AGENT_HOST_CNI_DIR')
  if (directory === undefined) return undefined
  const component = reader.text('AGENT_HOST_CNI_COMPONENT')
  if (!targets.some((target) => target.component === component)) {
    const known = targets.map((target) => target.component).join(', ')
    reader.problem('AGENT_HOST_CNI_COMPONENT', `is ${quote(component)}, which is no target of this agent (${known})`)
  }
  const copy = plainPath(join(directory, hostCopyName))
  if (targets.some((target) => target.directory === copy)) {
    reader.problem('AGENT_HOST_CNI_DIR', `would copy into ${copy}, the directory of a target; name another directory`)
  }
  return { directory: plainPath(directory), component }
}

/** Owns the check of the node's own directories: may the agent write the CNI plugin's copy, and its cache? */

import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hostCopyName } from '../../../config/target.ts'
import { AgentError } from '../../../core/errors.ts'
import { translateFileErrors } from '../../../core/files.ts'
import { type Check, failure, ok, type Verdict } from '../check.ts'

export const hostDirectories: Check = {
  id: 'host-directories',
  title: "writing to the node's own directories",
  run: ({ config: { hostCni, stateDirectory } }) => {
    const copy = hostCni && join(hostCni.directory, hostCopyName)
    // Until install-cni has made the copy's directory, what holds for the one above it holds for it.
    const places = [
      copy !== undefined && !existsSync(copy) ? hostCni?.directory : copy,
      // The agent makes it if it is not there.
      stateDirectory !== undefined && existsSync(stateDirectory) ? stateDirectory : undefined,
    ].filter((place) => place !== undefined)
    if (places.length === 0) return ok('neither AGENT_HOST_CNI_DIR nor AGENT_STATE_DIR is set')
    return judgeHostDirectories(
      places.map((path) => ({ path, error: writing(path) })),
      readLabel(),
    )
  },
}

/** Why it cannot be written; access(2) asks the permissions and SELinux alike. */
function writing(path: string): AgentError | undefined {
  try {
    translateFileErrors(path, () => accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK))
    return undefined
  } catch (error) {
    if (error instanceof AgentError) return error
    throw error
  }
}

/** Such as `system_u:system_r:container_t:s0:c1,c2`; undefined without SELinux. */
function readLabel(): string | undefined {
  try {
    const label = readFileSync('/proc/self/attr/current', 'utf8').replace(/[\0\n]+$/, '')
    return /^[^:\s]+:[^:]+:[^:]+:/.test(label) ? label : undefined
  } catch {
    return undefined
  }
}

interface Place {
  readonly path: string
  readonly error: AgentError | undefined
}

export function judgeHostDirectories(places: readonly Place[], label: string | undefined): Verdict {
  const { error } = places.find((place) => place.error !== undefined) ?? {}
  if (error === undefined) return ok(places.map(({ path }) => path).join(', '))
  const confined = error.code === 'directory-denied' && label !== undefined && !label.includes(':spc_t:')
  if (!confined) return failure(error.message, error.code)
  return failure(
    `${error.message}; SELinux: ${label}`,
    error.code,
    'If SELinux refuses it, set seLinuxOptions with type: spc_t for the pod (manifests/components/selinux).',
  )
}

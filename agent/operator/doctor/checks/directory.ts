/**
 * Owns the checks of directories. Of a target's: is it there, whose is it, what carries it, what stands in it. Of the node's own: may
 * the agent write the CNI plugin's copy, and its cache?
 */
import { accessSync, constants, existsSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../../config/config.ts'
import { hostCopyName } from '../../../config/target.ts'
import { formatDuration } from '../../../core/duration.ts'
import { AgentError } from '../../../core/errors.ts'
import { translateFileErrors } from '../../../core/files.ts'
import { reasons } from '../../../core/reason-catalog.ts'
import { formatBytes } from '../../../core/text.ts'
import type { Bundle } from '../../../pki/bundle.ts'
import { workingTime } from '../../../pki/ca-set.ts'
import { type GateContext, judge } from '../../../sidecar/gate/gate.ts'
import { openSecretDir } from '../../../sidecar/store/secret-dir.ts'
import { type Check, failure, ok, type Verdict, warning } from '../check.ts'

export const directory: Check = {
  id: 'directory',
  title: 'writing to the directory',
  each: 'target',
  run: ({ config: { files } }, { directory: path }) =>
    translateFileErrors(path, () => {
      const stat = statSync(path)
      if (!stat.isDirectory()) return failure(`${path} is not a directory`, 'directory-occupied')
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
      openSecretDir(path, files).requirePlaces()
      const { bavail, bsize, ffree, files: inodes } = statfsSync(path)
      const room = { bytes: bavail * bsize, inodes: inodes === 0 ? Number.POSITIVE_INFINITY : ffree }
      return judgeDirectory(path, stat, room, { wanted: files, ...ourselves() })
    }),
}

/** Two generations of a few kilobytes each, in blocks of 4 KiB. */
const leastBytes = 64 * 1024
const leastInodes = 16
/** CAP_CHOWN of linux/capability.h. */
const chownBit = 1n

interface Writer {
  readonly wanted: Config['files']
  readonly uid: number
  readonly gids: readonly number[]
  readonly mayChown: boolean
}

function ourselves(): Omit<Writer, 'wanted'> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return {
    uid: process.geteuid?.() ?? 0,
    gids: [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])],
    mayChown: (BigInt(`0x${effective}`) & chownBit) !== 0n,
  }
}

export function judgeDirectory(
  path: string,
  { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  { bytes, inodes }: { readonly bytes: number; readonly inodes: number },
  { wanted, uid: ourUid, gids, mayChown }: Writer,
): Verdict {
  const saw = `${path}: mode ${octal(mode)}, owner ${uid}:${gid}, ${formatBytes(bytes)} free`
  if (bytes < leastBytes || inodes < leastInodes) return failure(`${saw}, ${inodes} inodes free`, 'directory-full')
  const foreignUid = wanted.uid !== undefined && wanted.uid !== ourUid
  const foreignGid = wanted.gid !== undefined && !gids.includes(wanted.gid)
  if ((foreignUid || foreignGid) && !mayChown) {
    return failure(
      `${saw}; the agent runs as ${ourUid} and cannot give files to ${wanted.uid ?? ourUid}:${wanted.gid ?? gids[0]}`,
      'directory-denied',
      'Run the agent as that user, or with the capability CHOWN, or leave AGENT_FILE_UID and AGENT_FILE_GID out.',
    )
  }
  if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) {
    const advice = 'Take the write permission from others (chmod o-w). Anybody on the node could replace the links.'
    return warning(saw, advice, 'directory-denied')
  }
  return ok(saw)
}

/** Of linux/magic.h. */
const fileSystems: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x858458f6: 'ramfs',
  0x794c7630: 'overlay',
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x6969: 'nfs',
}

export const mount: Check = {
  id: 'mount',
  title: 'where private keys are kept',
  each: 'target',
  needs: ['directory'],
  run: (_access, { directory: path }) => translateFileErrors(path, () => judgeMount(path, statfsSync(path).type)),
}

export function judgeMount(path: string, type: number): Verdict {
  const name = fileSystems[type] ?? `0x${type.toString(16)}`
  const saw = `${path} is on ${name}`
  if (name === 'tmpfs' || name === 'ramfs') return ok(`${saw}: private keys stay in memory`)
  if (name === 'overlay') {
    const advice = "Mount the volume that Calico reads. This is the container's own layer, which nobody else sees."
    return warning(saw, advice, 'directory-missing')
  }
  return warning(
    `${saw}: private keys are on disk`,
    'Use an emptyDir with medium: Memory, or a tmpfs. On a disk, old private keys outlive the files.',
  )
}

export const published: Check = {
  id: 'published',
  title: 'what is published',
  each: 'target',
  needs: ['directory', 'credential'],
  run: ({ published: read, config, gateContext }, target) => {
    const bundle = read(target)
    const inOrder = openSecretDir(target.directory, config.files).hasAttributes()
    return judgePublished(bundle, inOrder, gateContext(target))
  },
}

export function judgePublished(bundle: Bundle | undefined, inOrder: boolean, context: GateContext): Verdict {
  if (bundle === undefined) return ok('nothing yet: the agent has not run here')
  const { commonName: name, nowMs } = context
  const rejection = judge(bundle, context, ['lifetime-too-short'])
  if (rejection !== undefined) return failure(rejection.detail, rejection.code)
  const saw = `CN=${name}, serial ${bundle.leaf.serialNumber}, works for ${formatDuration(workingTime(bundle, nowMs).notAfterMs - nowMs)}`
  if (bundle.unusableCa !== undefined) {
    const { summary, advice } = reasons['ca-unusable']
    return warning(`${saw}; ${summary}: ${bundle.unusableCa.join('; ')}`, advice, 'ca-unusable')
  }
  if (inOrder) return ok(saw)
  const advice = 'Nothing if the agent runs, as it corrects mode and owner. Otherwise start it.'
  return warning(`${saw}; mode or owner are not as configured`, advice)
}

export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

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

interface HostPlace {
  readonly path: string
  readonly error: AgentError | undefined
}

export function judgeHostDirectories(places: readonly HostPlace[], label: string | undefined): Verdict {
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

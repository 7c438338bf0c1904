/**
 * Owns the checks of the consumers. Who can read what is published: the consumer's user, its group, and the group of its pod. Could they
 * be told now (AGENT_ON_PUBLISH)? Nobody is: nothing is started, signaled or asked.
 */
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, Target } from '../../../config/config.ts'
import { AgentError, messageOf, systemCode } from '../../../core/errors.ts'
import { systemFiles, translateFileErrors, withFile } from '../../../core/files.ts'
import { signalProcess } from '../../../sidecar/on-publish/signal.ts'
import { fileNames } from '../../../sidecar/store/published-layout.ts'
import { type Check, failure, ok, type Verdict } from '../check.ts'
import { octal } from './directory.ts'

/** Who reads the files: the user of Calico's own images (up to v3.32; kube-controllers alone is not root there). */
const consumerUids: Readonly<Record<string, number>> = { 'calico-kube-controllers': 999 }

export interface Reader {
  readonly uid: number
  readonly gid: number
  /** Groups besides. */
  readonly groups?: readonly number[]
}

/** @param consumer who reads, if it is not the user of Calico's image */
export function createReaders(consumer: Reader | undefined): Check {
  return {
    id: 'readers',
    title: 'reading the files as the consumer',
    each: 'target',
    needs: ['directory'],
    run: ({ config }, target) => {
      const reader = consumer ?? { uid: consumerUids[target.component] ?? 0, gid: 0 }
      return translateFileErrors(target.directory, () => {
        const groups = podGroups(statSync(target.directory), process.getgroups?.() ?? [])
        return judgeReader({ ...reader, groups }, placesOf(target, config))
      })
    },
  }
}

/**
 * fsGroup: every container of the pod has that group beside its own, and the kubelet marks a volume that it has given to it with
 * setgid (SetVolumeOwnership in pkg/volume/volume_linux.go). As we are in that group ourselves, so is the consumer.
 */
export function podGroups({ mode, gid }: Pick<Stats, 'mode' | 'gid'>, ours: readonly number[]): readonly number[] {
  return (mode & 0o2000) !== 0 && ours.includes(gid) ? [gid] : []
}

type Owned = Pick<Stats, 'mode' | 'uid' | 'gid'>

interface Place extends Owned {
  readonly path: string
  /** What must be allowed: 4 read, 1 search. */
  readonly bits: number
}

/** The directory, and each file: as it stands there, or as it will be written. */
function placesOf({ directory: path }: Target, { files }: Config): Place[] {
  const own = statSync(path)
  // A directory with setgid (fsGroup) gives its group to what is made in it.
  const inherited = (own.mode & 0o2000) === 0 ? undefined : own.gid
  const { uid = process.geteuid?.() ?? 0, gid = inherited ?? process.getegid?.() ?? 0 } = files
  const asWritten = (name: string) => ({ uid, gid, mode: name === fileNames.ca ? 0o444 : files.mode })
  const placeOf = (place: string, bits: number, stat: Owned): Place => {
    return { path: place, bits, mode: stat.mode, uid: stat.uid, gid: stat.gid }
  }
  return [
    placeOf(path, 1, own),
    ...Object.values(fileNames).map((name) => {
      const file = join(path, name)
      return placeOf(file, 4, statSync(file, { throwIfNoEntry: false }) ?? asWritten(name))
    }),
  ]
}

export function judgeReader(reader: Reader, places: readonly Place[]): Verdict {
  const { uid, gid, groups = [] } = reader
  const closed = places.filter((place) => uid !== 0 && (bitsFor(reader, place) & place.bits) !== place.bits)
  const besides = groups.length === 0 ? '' : ` with the pod's group ${groups.join(', ')}`
  if (closed.length === 0) return ok(`${uid}:${gid}${besides} can read all of them`)
  const saw = closed.map(
    ({ path, mode, uid: owner, gid: group }) => `${uid}:${gid} cannot read ${path} (${octal(mode)}, ${owner}:${group})`,
  )
  const advice = `Set AGENT_FILE_UID=${uid}, or AGENT_FILE_GID=${gid} with AGENT_FILE_MODE=0440; the directory itself needs o+x.`
  return failure(saw.join('\n'), 'directory-denied', advice)
}

/** The one class of permission bits that counts, as Linux picks it. */
function bitsFor({ uid, gid, groups = [] }: Reader, place: Place): number {
  if (uid === place.uid) return place.mode >> 6
  return [gid, ...groups].includes(place.gid) ? place.mode >> 3 : place.mode
}

export const onPublish: Check = {
  id: 'on-publish',
  where: 'on-publish',
  title: 'telling the consumers',
  run: ({ config: { onPublish: config } }) => {
    const { action } = config ?? {}
    switch (action?.kind) {
      case 'program':
        return ok(findProgram(action.argv[0]))
      case 'signal':
        // 0 signals nobody, and fails as the signal would.
        signalProcess(0, action.pidFile)
        return ok(`${action.pidFile} names a process that may be signaled`)
      case 'url':
        return ok(`POST ${action.url}, on this machine; whether somebody listens there was not asked`)
      case undefined:
        return ok('nobody is to be told')
    }
  },
}

/** @throws AgentError if it could not be started by the user that looks */
function findProgram(program: string): string {
  requireExecutable(program, program)
  const interpreter = interpreterOf(program)
  if (interpreter === undefined) return program
  // An image without a shell runs no script.
  requireExecutable(interpreter, `${program} needs ${interpreter}`)
  return `${program}, run by ${interpreter}`
}

function requireExecutable(path: string, what: string): void {
  try {
    accessSync(path, constants.X_OK)
  } catch (cause) {
    if (systemCode(cause) === '') throw cause
    throw new AgentError('on-publish-failed', `${what}: ${messageOf(cause)}`, { cause })
  }
  if (!statSync(path).isFile()) throw new AgentError('on-publish-failed', `${what}: it is not a file`)
}

const longestLine = 256

/** What the first line of a script names. Undefined for other programs, and for one that may be run but not read. */
function interpreterOf(program: string): string | undefined {
  const head = Buffer.alloc(longestLine)
  try {
    withFile(systemFiles, program, constants.O_RDONLY, 0, (descriptor) => systemFiles.readSync(descriptor, head))
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined
    throw error
  }
  return /^#![ \t]*(\/[^\s\0]+)/.exec(head.toString('latin1'))?.[1]
}

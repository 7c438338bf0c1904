/**
 * Owns the node-local cache of one component: the last bundle, the record of the certificates made, and who may write them. The
 * cache outlives pods, so that two agents may meet there for a while, an old pod and its successor. The second one only reads.
 */
import { constants, mkdirSync } from 'node:fs'
import { AgentError } from '../../core/errors.ts'
import { systemFiles, withFile } from '../../core/files.ts'
import { createDirectoryLock } from './directory-lock.ts'
import { type IssuanceRecord, openIssuanceRecord } from './records.ts'
import { openSecretDir, type SecretDir } from './secret-dir.ts'

export interface StateDir extends Pick<SecretDir, 'path' | 'current' | 'publish'> {
  readonly record: IssuanceRecord
  /** Tries to get the right to write. Without it, writing is refused with the reason. */
  claim(): Promise<void>
  release(): void
}

const attributes = { mode: 0o600, uid: undefined, gid: undefined }

export function openStateDir(path: string): StateDir {
  const directory = openSecretDir(path, attributes, { isLinkRefused: true })
  const record = openIssuanceRecord(path, systemFiles, constants.O_NOFOLLOW)
  const lock = createDirectoryLock(path, { flags: constants.O_NOFOLLOW })
  let refusal: AgentError | undefined

  function prepare(): void {
    if (refusal !== undefined) throw refusal
    makePrivate(path)
  }

  return {
    path,
    current: () => directory.current(),
    publish(bundle, at) {
      prepare()
      return directory.publish(bundle, at)
    },
    record: {
      read: () => record.read(),
      write(issuedAtMs) {
        prepare()
        record.write(issuedAtMs)
      },
    },
    async claim() {
      makePrivate(path)
      try {
        await lock.claim()
        refusal = undefined
      } catch (error) {
        if (!(error instanceof AgentError)) throw error
        refusal = error
      }
    },
    release: () => lock.release(),
  }
}

/** The key in it is nobody else's business. */
function makePrivate(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
    withFile(systemFiles, path, flags, 0, (descriptor) => systemFiles.fchmodSync(descriptor, 0o700))
  } catch {
    // Writing into it says what is wrong with it.
  }
}

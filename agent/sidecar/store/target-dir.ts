/** Owns one target's directory: a published directory that one agent at a time may write into, and what is to be told of it. */
import { type Clock, systemClock } from '../../core/clock.ts'
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import { createDirectoryLock, type DirectoryLock } from './directory-lock.ts'
import type { FileAttributes } from './generation.ts'
import { createRenewalDesk, proofOf } from './renewal-request.ts'
import { openSecretDir, type SecretDir } from './secret-dir.ts'

/** To be claimed before anything is published. */
export type TargetDir = SecretDir & Pick<DirectoryLock, 'claim' | 'release'>

/**
 * @param tell is told once of each flaw that stops nothing
 * @param state the node-local cache, claimed along with the directory
 * @param renew is called if somebody who may asks for a renewal, but not again and again
 */
export function openTargetDir(
  path: string,
  attributes: FileAttributes,
  tell: (flaw: AgentError) => void,
  state?: Pick<DirectoryLock, 'claim' | 'release'>,
  renew: () => void = () => {},
  clock: Pick<Clock, 'monotonic'> = systemClock,
): TargetDir {
  const directory = openSecretDir(path, attributes)
  const proof = (): string | undefined => {
    try {
      return proofOf(directory.current())
    } catch (error) {
      if (error instanceof AgentError) return undefined
      throw error
    }
  }
  const lock = createDirectoryLock(path, {
    serve: createRenewalDesk({ proof, asked: renew, monotonic: () => clock.monotonic() }),
  })
  const told = new Set<ReasonCode>()
  return {
    ...directory,
    async claim() {
      await lock.claim()
      await state?.claim()
    },
    release() {
      lock.release()
      state?.release()
    },
    publish(bundle, at) {
      const writtenAtMs = directory.publish(bundle, at)
      for (const flaw of [lock.problem(), ...directory.flaws()]) {
        if (flaw === undefined || told.has(flaw.code)) continue
        told.add(flaw.code)
        tell(flaw)
      }
      return writtenAtMs
    },
  }
}

/**
 * Owns the copy of a bundle that the CNI plugin on the host reads: `calico-tls` in /etc/cni/net.d, whose three files the CNI
 * configuration names by path. Inside it stands a published directory like any other (secret-dir.ts), so that one rename
 * replaces all three and a crash at any step leaves the old ones or the new ones (docs/adr/0009).
 *
 * The directory itself is install-cni's: each start of it removes `calico-tls`, makes it again and copies plain files into it, at
 * any moment, also between two system calls of ours. So the directory is never made here, and what was written is read back.
 */
import { join } from 'node:path'
import { AgentError } from '../../core/errors.ts'
import { type Files, systemFiles, translateFileErrors, unlessCode } from '../../core/files.ts'
import { type BundleText, isSameBundle } from '../../pki/bundle.ts'
import { openSecretDir } from './secret-dir.ts'

export interface HostCniDir {
  readonly path: string
  /**
   * Brings the copy in step with the bundle; answers whether anything had to be written.
   * @throws AgentError `host-copy-absent` if install-cni has not made the directory, or a reason of the store; the old
   *   copy or the new one is then in place, whole
   */
  sync(bundle: BundleText, at: Date): boolean
}

/** As install-cni leaves them if they come from a Secret of mode 0400; only root reads them. */
const attributes = { mode: 0o400, caMode: 0o400, uid: undefined, gid: undefined }

/** install-cni does not start three times while a few kilobytes are written. */
const writeAttempts = 3

/** @param name of the copy in the directory */
export function openHostCniDir(directory: string, name: string, files: Files = systemFiles): HostCniDir {
  const path = join(directory, name)
  const copy = openSecretDir(path, attributes, { files, isLinkRefused: true })

  function requireMade(): void {
    translateFileErrors(directory, () => {
      files.lstatSync(directory)
      const found = unlessCode(['ENOENT'], () => files.lstatSync(path))
      if (found === undefined) throw new AgentError('host-copy-absent', `${path} does not exist`)
      // Mounted here, and removed on the host: nobody else sees what is written into it.
      if (found.nlink === 0)
        throw new AgentError('host-copy-absent', `${path} was removed on the host; start the pod again`)
      if (!found.isDirectory()) throw new AgentError('directory-occupied', `${path} is not a directory`)
    })
  }

  function isInStep(bundle: BundleText): boolean {
    try {
      const found = copy.current()
      return found !== undefined && isSameBundle(found, { text: bundle }) && copy.hasAttributes()
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      return false // Writing tells what is wrong, if it is more than the content.
    }
  }

  function write(bundle: BundleText, at: Date): AgentError | undefined {
    try {
      copy.publish(bundle, at)
      return undefined
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      return error
    }
  }

  const changedByOthers = (): AgentError =>
    new AgentError('directory-failed', `${path} does not hold what was written into it: somebody changes it`)

  return {
    path,
    sync(bundle, at) {
      let failure: AgentError | undefined
      for (let attempt = 0; ; attempt++) {
        requireMade()
        if (isInStep(bundle)) return attempt > 0
        if (attempt === writeAttempts) throw failure ?? changedByOthers()
        // If it fails, install-cni may have been at work in between.
        failure = write(bundle, at)
      }
    },
  }
}

/** Owns directories and small file systems that are gone when the test is. To be called inside a test. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Registers what is to be done at the end. Concurrent tests hand over their context's, as vitest asks. */
export type OnEnd = (end: () => void | Promise<void>) => void

/** In memory where the system has it so: fsync on a disk takes milliseconds. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A new empty directory, removed when the test ends. */
export function tempDir(onEnd: OnEnd = onTestFinished): string {
  const path = realpathSync(mkdtempSync(join(base, 'calico-vault-agent-')))
  onEnd(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Whether this process may mount: root in a container usually may not. */
export const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0

/**
 * A small file system of its own, unmounted when the test ends.
 * @param options such as `size=64k,nr_inodes=20`
 */
export function tempFileSystem(options: string, onEnd: OnEnd = onTestFinished): string {
  const path = tempDir(onEnd)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  // Lazily: a descriptor that a failed test has left open must not hold it.
  onEnd(() => {
    execFileSync('umount', ['--lazy', path])
  })
  return path
}

/** Makes a file system of `tempFileSystem` read-only, or writable again. */
export function remount(path: string, options: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${options}`, path])
}

/** Owns the faults of the file system below the target's directory: small ones of their own, which only root may mount. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import { canMount, remount, tempFileSystem } from '../../support/temp-dir.ts'
import type { FaultRow, Stage } from '../row.ts'

const leftOut = canMount ? undefined : 'needs root, to mount a small file system'

/** The watcher sees a file go, but not a remount: then it is the next try, within five minutes. */
const recoversWithinSeconds = 300

function onFileSystem(
  name: string,
  reason: ReasonCode,
  options: string,
  { inject, recover }: Pick<FaultRow, 'inject' | 'recover'>,
): FaultRow {
  const directory: FaultRow['directory'] = (onEnd) => tempFileSystem(options, onEnd)
  return { group: 'disk', name, reasons: [reason], recoversWithinSeconds, leftOut, directory, inject, recover }
}

/** Files of this size until no other one fits. */
function fill({ directory }: Stage, size: number): void {
  for (let index = 0; ; index++) {
    try {
      writeFileSync(join(directory, `filler-${index}`), Buffer.alloc(size))
    } catch (error) {
      if (systemCode(error) === 'ENOSPC') return
      throw error
    }
  }
}

function empty({ directory }: Stage): void {
  for (let index = 0; index < 100; index++) rmSync(join(directory, `filler-${index}`), { force: true })
}

export const diskRows: readonly FaultRow[] = [
  onFileSystem('full', 'directory-full', 'size=128k', { inject: (stage) => fill(stage, 4096), recover: empty }),
  onFileSystem('no inode left', 'directory-full', 'size=1m,nr_inodes=40', {
    inject: (stage) => fill(stage, 0),
    recover: empty,
  }),
  onFileSystem('remounted read-only', 'directory-read-only', 'size=1m', {
    inject: ({ directory }) => remount(directory, 'ro'),
    recover: ({ directory }) => remount(directory, 'rw'),
  }),
]

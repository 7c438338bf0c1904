/** Owns what a neighbor in the pod that may write into the volume puts under the agent's names. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import type { FaultRow, Stage } from '../row.ts'

function row(
  name: string,
  reasons: readonly ReasonCode[],
  entry: string,
  make: (path: string, stage: Stage) => unknown,
): FaultRow {
  const pathIn = ({ directory }: Stage): string => join(directory, entry)
  return {
    group: 'neighbor',
    name,
    reasons,
    recoversWithinSeconds: 300,
    inject: (stage) => make(pathIn(stage), stage),
    recover: (stage) => rmSync(pathIn(stage), { recursive: true, force: true }),
  }
}

const pipe = (path: string): Buffer => execFileSync('mkfifo', [path])

export const neighborRows: readonly FaultRow[] = [
  row('a pipe named ..issued_tmp', [], '..issued_tmp', pipe),
  row('a pipe named ..data_tmp', [], '..data_tmp', pipe),
  row('a link to the token named ..data_tmp', [], '..data_tmp', (path, { tokenFile }) => symlinkSync(tokenFile, path)),
  row(
    'a link to the token in the place of an old generation',
    [],
    '..2026_01_01_00_00_00.000_0',
    (path, { tokenFile }) => symlinkSync(tokenFile, path),
  ),
  row('..lock_x that cannot be removed', [], '..lock_x', (path) => mkdirSync(join(path, 'deep'), { recursive: true })),
  row('a directory named ..data_tmp', ['directory-occupied'], '..data_tmp', (path) => mkdirSync(path)),
]

/** Owns the order of the fault matrix, and what is left out of it on this machine. */
import { locateServer } from '../../servers/locate.ts'
import { runRow } from '../harness.ts'
import type { FaultRow, MatrixRow } from '../row.ts'
import { clockRows } from './clock.ts'
import { credentialRows } from './credentials.ts'
import { diskRows } from './disk.ts'
import { etcdRows } from './etcd.ts'
import { damagedRows, fileRows } from './files.ts'
import { killRows } from './kill.ts'
import { neighbourRows } from './neighbour.ts'
import { networkRows } from './network.ts'
import { processRows } from './process.ts'
import { vaultRows } from './vault.ts'

const etcd = locateServer('etcd')
const missingEtcd = 'missing' in etcd ? etcd.missing : undefined

export const rows: readonly MatrixRow[] = [
  ...[...vaultRows, ...networkRows, ...credentialRows, ...etcdRows, ...diskRows, ...fileRows, ...neighbourRows].map(
    asMatrixRow,
  ),
  ...damagedRows,
  ...clockRows,
  ...processRows,
  ...killRows,
]

function asMatrixRow(row: FaultRow): MatrixRow {
  const leftOut = row.leftOut ?? (row.etcdMembers === undefined ? undefined : missingEtcd)
  return { group: row.group, name: row.name, leftOut, run: (options) => runRow(row, options) }
}

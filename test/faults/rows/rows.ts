/** Owns the order of the fault matrix, and what is left out of it on this machine. */
import { locateServer } from '../../servers/locate.ts'
import { clusterMissing } from '../../support/real-vault-cluster.ts'
import { runRow } from '../harness.ts'
import type { FaultRow, MatrixRow } from '../row.ts'
import { clockRows } from './clock.ts'
import { clusterFaults, clusterRows } from './cluster.ts'
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

/** Each has a cluster of its own. */
export const rowsOfCluster: readonly MatrixRow[] = [...clusterFaults.map(asMatrixRow), ...clusterRows]

function asMatrixRow(row: FaultRow): MatrixRow {
  const { group, name, cluster, etcdMembers } = row
  const missing = cluster === undefined ? (etcdMembers === undefined ? undefined : missingEtcd) : clusterMissing
  return { group, name, leftOut: row.leftOut ?? missing, run: (options) => runRow(row, options) }
}

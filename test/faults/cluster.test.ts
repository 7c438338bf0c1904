/** The faults of a cluster of three Vaults, one after the other: an election needs the machine for itself. */
import { testRows } from './matrix.ts'
import { rowsOfCluster } from './rows/rows.ts'

testRows(rowsOfCluster, false)

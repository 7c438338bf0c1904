/** Owns the order of the fault matrix. */
import type { FaultRow } from '../row.ts'
import { networkRows } from './network.ts'
import { vaultRows } from './vault.ts'

export const rows: readonly FaultRow[] = [...vaultRows, ...networkRows]

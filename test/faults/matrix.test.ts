/** The fault matrix on one Vault, many rows at a time. */
import { testRows } from './matrix.ts'
import { rows } from './rows/rows.ts'

testRows(rows, true)

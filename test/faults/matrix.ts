/** Owns rows of the fault matrix as tests. In `npm test` every fault lasts until its reason has been told; `npm run faults` holds each for longer. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { locateServer } from '../servers/locate.ts'
import type { MatrixRow, Outcome } from './row.ts'
import { type FaultLab, startFaultLab } from './stage.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** How long each fault lasts after its reason has been told; undefined in `npm test`. */
    faultHoldMs: number | undefined
  }
  interface TaskMeta {
    outcome?: Outcome
  }
}

const vault = locateServer('vault')
const missing = 'missing' in vault ? vault.missing : undefined
// Each server that a row starts listens for the end of this process.
process.setMaxListeners(100)

const holdMs = inject('faultHoldMs') ?? 0

/** @param isConcurrent whether the rows run at the same time, on one Vault */
export function testRows(rows: readonly MatrixRow[], isConcurrent: boolean): void {
  describe.skipIf(missing !== undefined)(`faults${missing === undefined ? '' : ` (left out: ${missing})`}`, () => {
    let lab: FaultLab
    beforeAll(async () => {
      lab = await startFaultLab()
    })
    afterAll(() => lab?.stop())

    for (const [index, row] of rows.entries()) {
      const { group, name, leftOut } = row
      const title = `${group}: ${name}${leftOut === undefined ? '' : ` (left out: ${leftOut})`}`
      test.skipIf(leftOut !== undefined)(
        title,
        { concurrent: isConcurrent, timeout: 400_000 },
        async ({ task, onTestFinished }) => {
          const outcome = await row.run({ lab, node: `node${index}`, holdMs, onEnd: onTestFinished })
          task.meta.outcome = outcome
          expect(outcome.problems).toEqual([])
        },
      )
    }
  })
}

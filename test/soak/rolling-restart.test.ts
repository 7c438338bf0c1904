/** A rolling restart of Vault's three members: no agent is ever without a certificate. Short here; `npm run soak -- --agents 50` is long. */
import { expect, inject, test } from 'vitest'
import { startLab } from '../integration/agent/lab.ts'
import { clusterMissing, startRealVaultCluster } from '../support/real-vault-cluster.ts'
import { type RollingFigures, runRollingRestart } from './rolling-restart.ts'

declare module 'vitest' {
  interface TaskMeta {
    rolling?: RollingFigures
  }
}

const isLong = inject('soakRotations') !== undefined
const leftOut = clusterMissing === undefined ? '' : ` (left out: ${clusterMissing})`
/** An agent that is well makes five a minute of them at this lifetime; one that is not, what a row of the fault matrix may. */
const mostRequestsPerMinute = 30

test.skipIf(clusterMissing !== undefined)(
  `a rolling restart of Vault under a fleet: nobody is without a certificate${leftOut}`,
  { timeout: isLong ? 1_200_000 : 240_000 },
  async ({ task, onTestFinished: onEnd }) => {
    const cluster = await startRealVaultCluster({ onEnd })
    onEnd(() => cluster.stop())
    const lab = { ...(await startLab(cluster.vault, {})), isReal: true }
    onEnd(() => lab.stop())
    const figures = await runRollingRestart(lab, cluster, {
      agents: isLong ? (inject('fleetAgents') ?? 50) : 3,
      lifetimeSeconds: isLong ? 60 : 120,
      downMs: isLong ? 20_000 : 0,
      betweenMs: isLong ? 20_000 : 0,
      isPushed: !isLong,
      onEnd,
    })
    task.meta.rolling = figures
    const { lost, bad, leastLeftSeconds } = figures
    expect({ lost, bad }).toEqual({ lost: 0, bad: [] })
    expect(leastLeftSeconds).toBeGreaterThan(0)
    expect(figures.mostRequestsPerMinute).toBeLessThanOrEqual(mostRequestsPerMinute)
  },
)

/** The project on real nodes: a real cluster, the project's own image, Calico's own manifest, and a stand-in for Calico's programs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { watchReads } from './agents.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { type Deployment, deploy } from './deploy.ts'
import { describeMigration } from './scenarios/migration.ts'
import { describeOperation } from './scenarios/operation.ts'
import { describeOutage } from './scenarios/outage.ts'
import { describeRestarts } from './scenarios/restart.ts'
import { describeRotation } from './scenarios/rotation.ts'
import { describeStart } from './scenarios/start.ts'

const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: these tests are run by npm run e2e`)
  return value
}
const recommended: Deployment = { overlay: 'native-sidecar' }
/** A renewal every 13 seconds or so, at a moment of each identity's own, and as many more as are asked for. */
const rotating: Deployment = { ...recommended, settings: { AGENT_TTL: '20s', AGENT_ISSUANCE_BUDGET: 'off' } }
const rotations = Number(process.env['E2E_ROTATIONS'] ?? 200)

const startedAt = performance.now()
const say = (line: string): void =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}`)

describe('on real nodes', () => {
  let cluster: Cluster | undefined
  const get = (): Cluster => {
    if (cluster === undefined) throw new Error('the cluster did not start')
    return cluster
  }

  beforeAll(async () => {
    cluster = await startCluster({
      directory: env('E2E_DIRECTORY'),
      cgroup: env('E2E_CGROUP'),
      nodes: ['node1', 'node2'],
      images: env('E2E_IMAGES').split(':'),
      say,
    })
    say('the cluster is there')
  })
  afterAll(async () => {
    if (process.env['E2E_KEEP'] !== undefined) await new Promise(() => {})
    cluster?.vaultApi.close()
  })

  describeMigration(get)
  describe('the recommended form, a native sidecar', () => {
    describeRollout(get, recommended)
    describeStart(get)
    describeRestarts(get)
    describeOutage(get, rotating)
    describeRotation(get, rotations)
    describeOperation(get, rotating)
  })
  describe('init container and sidecar', () => {
    describeRollout(get, { ...rotating, components: ['init-and-sidecar'] })
    describeStart(get)
    // The same program in another place of the pod.
    describeRotation(get, Math.ceil(rotations / 4))
  })
})

/** In a hook, so that it is done for whichever tests are run. */
function describeRollout(cluster: () => Cluster, deployment: Deployment): void {
  let failed: unknown[] | undefined
  beforeAll(async () => {
    const reads = watchReads(cluster())
    await deploy(cluster(), deployment)
    failed = reads.failed()
  })
  it('is rolled out, and no read is lost meanwhile', () => expect(failed).toEqual([]))
}

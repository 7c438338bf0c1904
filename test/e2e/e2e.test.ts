/** The project on real nodes: a real cluster, the project's own image, Calico's own manifest, and a stand-in for Calico's programs. */
import { afterAll, beforeAll, describe } from 'vitest'
import { type Cluster, startCluster } from './cluster.ts'
import { deploy } from './deploy.ts'
import { readyPod } from './pods.ts'
import { describeStart } from './scenarios/start.ts'

const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: these tests are run by npm run e2e`)
  return value
}
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
    say('Calico by the overlay native-sidecar')
    await deploy(cluster, { overlay: 'native-sidecar' })
    for (const { name } of cluster.nodes) await readyPod(cluster, 'calico-node', name)
    await readyPod(cluster, 'calico-kube-controllers')
    say('everything is Ready')
  })
  afterAll(async () => {
    if (process.env['E2E_KEEP'] !== undefined) await new Promise(() => {})
    cluster?.vaultApi.close()
  })

  describeStart(get)
})

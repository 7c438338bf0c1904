/** Owns nodes whose hours the test lets pass, and their clients of etcd, for what a CA rotation asks of them. */
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { startReader } from './etcd-reader.ts'
import { createTestNode, type Lab } from './lab.ts'

const hourMs = 3_600_000

export interface RotatingNode {
  readonly directory: string
  readonly agent: AgentInProcess
  readonly clock: FakeClock
}

/** Its first certificate is published. */
export async function startRotatingNode(lab: Lab, node: string): Promise<RotatingNode> {
  const clock = createFakeClock()
  const { environment, directory } = createTestNode(lab, { node })
  const agent = await startAgent(environment, { clock })
  await agent.nextEvent('published')
  return { directory, agent, clock }
}

export async function lookAtIssuers({ agent, clock }: RotatingNode): Promise<void> {
  await clock.nextSleep()
  await clock.pass(hourMs)
  await agent.nextEvent('vault-request', ({ operation }) => operation === 'issuers')
}

export async function renew({ agent }: RotatingNode): Promise<void> {
  agent.renewNow()
  await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
}

/** A client on each node that reads the files for every connection. */
export function startClients<Node extends RotatingNode>(fleet: readonly Node[], member: RealEtcd) {
  const reloading = fleet.map(({ directory }) => startReader(directory, member))
  const someReads = async (): Promise<void> => {
    await Promise.all(reloading.map(async ({ reads }) => await reads(3)))
  }
  return {
    reloading,
    someReads,
    everybody: async (act: (node: Node) => Promise<void>): Promise<void> => {
      await Promise.all(fleet.map(act))
      await someReads()
    },
    /** The member goes down and comes back with other certificates; nobody is in the middle of a call. */
    restartEtcd: async (change: Parameters<RealEtcd['restart']>[0]): Promise<void> => {
      await Promise.all(reloading.map(async ({ pause }) => await pause()))
      await member.restart(change)
      for (const { resume } of reloading) resume()
      await someReads()
    },
  }
}

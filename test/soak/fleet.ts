/**
 * Owns a fleet of whole agents on one real Vault: each with its own node, token, directory, session and connection, all of them in this
 * process (as processes, two hundred would need 13 GB). Started at the same moment, as after a power cut.
 */

import { parseConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { AgentEvent } from '../../agent/sidecar/observe/events.ts'
import { createAgent } from '../../agent/sidecar/sidecar.ts'
import { readCpuMs } from '../bench/process-stats.ts'
import { createTestNode, type Lab } from '../integration/agent/lab.ts'

export interface FleetFigures {
  readonly agents: number
  readonly lifetimeSeconds: number
  readonly certificates: number
  /** Attempts that failed, and why. */
  readonly failures: readonly string[]
  /** From the start until each of them had its first certificate. */
  readonly allServedAfterSeconds: number
  /** What was left of a certificate when the next one was published, at the least. */
  readonly leastLeftSeconds: number
  readonly vaultCpuMsPerCertificate: number
}

export interface FleetOptions {
  readonly agents: number
  readonly lifetimeSeconds: number
  /** How many certificates each agent gets. */
  readonly certificatesEach: number
}

export async function runFleet(
  lab: Lab,
  vaultPid: number,
  { agents, lifetimeSeconds, certificatesEach }: FleetOptions,
): Promise<FleetFigures> {
  const stop = new AbortController()
  const cpuBefore = readCpuMs(vaultPid)
  const startedAt = performance.now()
  let [certificates, allServedAfterSeconds, leastLeftMs] = [0, 0, Number.POSITIVE_INFINITY]
  const failures: string[] = []
  let served = 0

  const runOne = (index: number): { running: Promise<void>; done: Promise<void> } => {
    const { environment } = createTestNode(lab, {
      node: `fleet${index}`,
      env: { AGENT_TTL: `${lifetimeSeconds}s`, AGENT_LISTEN: 'off' },
    })
    let [count, notAfterMs] = [0, 0]
    const done = Promise.withResolvers<void>()
    const emit = (event: AgentEvent): void => {
      if (event.type === 'renewal-failed') failures.push(`${event.reason}: ${event.detail}`)
      if (event.type !== 'published') return
      certificates++
      if (++count === 1 && ++served === agents) allServedAfterSeconds = (performance.now() - startedAt) / 1000
      if (count > 1) leastLeftMs = Math.min(leastLeftMs, notAfterMs - Date.now())
      notAfterMs = event.certificate.notAfterMs
      if (count === certificatesEach) done.resolve()
    }
    const config = parseConfig(environment, '')
    const agent = createAgent({ config, clock: systemClock, random: Math.random, emit })
    return { running: agent.run(stop.signal), done: done.promise }
  }

  const fleet = Array.from({ length: agents }, (_, index) => runOne(index))
  await Promise.race([
    Promise.all(fleet.map(({ done }) => done)),
    // A bug that ends one of them must end this.
    ...fleet.map(({ running }) => running),
  ])
  const cpuMs = readCpuMs(vaultPid) - cpuBefore
  stop.abort()
  await Promise.all(fleet.map(({ running }) => running))
  return {
    agents,
    lifetimeSeconds,
    certificates,
    failures,
    allServedAfterSeconds,
    leastLeftSeconds: leastLeftMs / 1000,
    vaultCpuMsPerCertificate: cpuMs / certificates,
  }
}

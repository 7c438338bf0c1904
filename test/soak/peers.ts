/**
 * Owns the comparison of agents by their readers (`npm run soak -- --agent COMMAND`): each renews a certificate of some seconds by its own
 * schedule, on the same development Vault, while the program of reader.ts reads. The command is as for `npm run bench`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { otherAgent, ourAgent, startSubject } from '../bench/subject.ts'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import type { Readings } from './reader.ts'
import { startReader } from './readers.ts'

const ttl = '10s'

export async function comparePeers(command: string, seconds: number): Promise<Record<string, Readings>> {
  const vault = await startDevVaultProcess({ ttl, notBeforeDuration: '1s' })
  const readings: Record<string, Readings> = {}
  try {
    for (const subject of [ourAgent(), otherAgent(command)]) {
      const run = await startSubject(subject, vault, { AGENT_TTL: ttl })
      const reader = startReader(run.directory)
      await delay(seconds * 1000)
      await reader.stop()
      await run.stop()
      readings[subject.name] = reader.found
    }
  } finally {
    await vault.stop()
  }
  return readings
}

/**
 * Owns a real agent whose days pass in seconds: with the development Vault and a kubelet that share its clock, and scraped once
 * a minute of its time.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { type DevVault, startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { createServiceAccountIssuer } from '../../support/service-account.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type VaultApi, vaultApi } from '../../support/vault-api.ts'
import { setUpVault } from '../../support/vault-setup.ts'
import { createRecording, type Recording } from './recording.ts'

export interface SimulatedNode {
  readonly clock: FakeClock
  readonly vault: DevVault
  readonly api: VaultApi
  readonly agent: AgentInProcess
  readonly recording: Recording
  readonly kubelet: { renewsToken: boolean }
  /** How far Vault's clock goes before the node's. */
  readonly vaultClock: { aheadMs: number }
  /** Lets minutes pass, each with a scrape at its end. */
  readonly pass: (minutes: number) => Promise<void>
  /** The recorded minute in which a moment of the metrics lies. */
  readonly minuteOf: (metric: string) => Promise<number>
}

export interface SimulatedNodeOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Before the agent starts. */
  readonly prepare?: (vault: DevVault) => Promise<void>
}

const startMs = Date.UTC(2026, 2, 1)
const minuteMs = 60_000
const tokenSeconds = 600

export async function simulateNode({ env = {}, prepare }: SimulatedNodeOptions = {}): Promise<SimulatedNode> {
  const clock = createFakeClock(startMs)
  const now = (): number => clock.now()
  const vaultClock = { aheadMs: 0 }
  const vault = await startDevVault({ now: () => clock.now() + vaultClock.aheadMs })
  onTestFinished(() => vault.stop())
  const accounts = createServiceAccountIssuer({ now })
  const { issuer, publicKeyPem } = accounts
  await setUpVault(vault, { jwt: { issuer, publicKeyPem } })
  const api = vaultApi(vault)
  onTestFinished(() => api.close())
  const root = tempDir()
  const directory = join(root, 'secrets')
  const tokenFile = join(root, 'token')
  mkdirSync(directory)
  const kubelet = { renewsToken: true }
  const renewToken = (): void => writeFileSync(tokenFile, accounts.token({ expiresInSeconds: tokenSeconds }))
  renewToken()
  await prepare?.(vault)
  const agent = await startAgent(
    {
      VAULT_ADDR: vault.address,
      VAULT_CACERT: vault.caFile,
      NODE_NAME: 'node1',
      AGENT_AUTH_METHOD: 'jwt',
      AGENT_AUTH_TOKEN_FILE: tokenFile,
      AGENT_DIR: directory,
      ...env,
    },
    { clock },
  )
  await agent.nextEvent('heartbeat')
  const recording = createRecording(startMs)
  return {
    clock,
    vault,
    api,
    agent,
    recording,
    kubelet,
    vaultClock,
    async pass(minutes) {
      for (let minute = 0; minute < minutes; minute++) {
        recording.add(await agent.scrape())
        await clock.pass(minuteMs)
        // As the kubelet does, when a fifth of its life is left.
        if (kubelet.renewsToken && recording.minutes % 8 === 0) renewToken()
      }
    },
    async minuteOf(metric) {
      const moment = await agent.metric(`${metric}{component="calico-node"}`)
      if (moment === undefined) throw new Error(`there is no ${metric}`)
      return Math.floor((moment * 1000 - startMs) / minuteMs)
    },
  }
}

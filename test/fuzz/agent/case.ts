/**
 * Owns one case: the agent of a node on which something is damaged, until it has a good certificate. At its first wait, what others
 * have handed over is mended; from there it has to come to rights by itself. Time passes as fast as the agent waits.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig } from '../../../agent/config/config.ts'
import type { Clock } from '../../../agent/core/clock.ts'
import { prepareConnection } from '../../../agent/core/v8-tuning.ts'
import { describe as describeEvent } from '../../../agent/sidecar/observe/describe.ts'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import { createHealth } from '../../../agent/sidecar/observe/health.ts'
import type { Metrics } from '../../../agent/sidecar/observe/metrics.ts'
import { createPresent } from '../../../agent/sidecar/observe/present.ts'
import { createAgent } from '../../../agent/sidecar/sidecar.ts'
import { createDice } from './dice.ts'
import { hourMs, type Material } from './material.ts'
import { bytesIn, problemIn } from './published.ts'
import { createScene, type Scene } from './scene.ts'
import type { StubVault } from './stub-vault.ts'

export interface CaseSetting {
  readonly base: string
  readonly material: Material
  readonly stub: StubVault
  readonly startMs: number
  readonly seed: number
  /** Of the whole process. */
  readonly metrics: Pick<Metrics, 'listener'>
}

/** The longest wait is an hour, and a bad answer may have been got twice. */
const longestMs = 3 * hourMs

/** What went wrong, with what the case was; undefined: nothing. */
export async function runCase(setting: CaseSetting, number: number): Promise<string | undefined> {
  const root = mkdtempSync(join(setting.base, 'case-'))
  const { material, stub, startMs, seed } = setting
  try {
    const scene = createScene(root, material, stub, startMs, createDice(seed, number))
    const lines: string[] = []
    const problem = await live(setting, scene, lines).catch((error: unknown) =>
      // What is thrown ends the program with status 70.
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    )
    const secret = problem ?? secretIn(lines.join('\n'), material)
    return secret === undefined ? undefined : `${scene.about}\n  ${secret}\n  ${lines.slice(-5).join('\n  ')}`
  } finally {
    stub.damage = undefined
    rmSync(root, { recursive: true, force: true })
  }
}

async function live(
  { stub, startMs, metrics }: CaseSetting,
  scene: Scene,
  lines: string[],
): Promise<string | undefined> {
  const { directory, names } = scene
  const before = bytesIn(directory)
  const stop = new AbortController()
  let passedMs = 0
  let problem: string | undefined
  const clock: Clock = {
    now: () => startMs + passedMs,
    monotonic: () => 5_000_000 + passedMs,
    sleep: async (ms, wake) => {
      if (wake.aborted) return
      if (passedMs === 0) {
        // What was there is as it was, or replaced by a good set.
        if (bytesIn(directory) !== before) problem = problemIn(directory, names, clock.now())
        stub.damage = undefined
        scene.mend()
      }
      passedMs += Math.max(ms, 1)
      if (passedMs > longestMs || problem !== undefined) stop.abort()
      await new Promise(setImmediate)
    },
  }
  stub.now = () => clock.now()
  stub.damage = scene.damage
  const config = parseConfig(scene.environment, 'host')
  const components = config.targets.map(({ component }) => component)
  const present = createPresent(components, clock)
  const health = createHealth(config.targets, present, clock, config.vault?.timeoutMs ?? 0)
  const emit = (event: AgentEvent): void => {
    metrics.listener(event)
    present.listener(event)
    const line = describeEvent(event, clock.now())
    if (line !== undefined) lines.push(JSON.stringify(line))
  }
  const agent = createAgent({ config, clock, random: () => 0.5, emit, beforeConnect: prepareConnection })
  const failures = await agent.runOnce(stop.signal)
  stop.abort()
  lines.push(JSON.stringify(health.probe('readyz')))
  if (problem !== undefined) return `published before anything was mended: ${problem}`
  if (failures.length > 0) return `has no certificate after ${passedMs} ms: ${failures.map(String).join('; ')}`
  const rest = problemIn(directory, names, clock.now())
  return rest === undefined ? undefined : `published in the end: ${rest}`
}

function secretIn(output: string, material: Material): string | undefined {
  const keys = [material.good, material.due, material.newer, material.otherName].map(
    ({ key }) => key.split('\n')[1] ?? '',
  )
  const secrets = [...keys, material.token.split('.')[2] ?? '', material.vaultToken, material.secretId]
  const told = secrets.find((secret) => secret.length >= 16 && output.includes(secret))
  return told === undefined ? undefined : `it has told a secret that begins with ${told.slice(0, 6)}`
}

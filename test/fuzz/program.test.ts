/**
 * Cases of agent.test.ts with the built program itself: `init` ends with 0 or 78, or with 69 while what is damaged stays so; once
 * that is mended, the next start ends with 0. 20 cases in `npm test`, 200 with 100,000.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { spawnAgent } from '../support/agent-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { createDice } from './agent/dice.ts'
import { createMaterial } from './agent/material.ts'
import { problemIn } from './agent/published.ts'
import { createScene } from './agent/scene.ts'
import { startStubVault } from './agent/stub-vault.ts'

const seed = inject('fuzzSeed') ?? Math.floor(Math.random() * 2 ** 31)
const total = inject('fuzzCases') ?? 2000
const count = Math.ceil(total <= 2000 ? total / 100 : total / 500)

test('the program survives whatever it reads, and comes to rights', async ({ annotate, onTestFinished }) => {
  await annotate(`seed ${seed}`)
  const nowMs = Math.floor(Date.now() / 1000) * 1000
  const material = await createMaterial(nowMs)
  const stub = await startStubVault(material)
  onTestFinished(() => stub.stop())
  const base = tempDir()
  for (let number = 0; number < count; number++) {
    const root = join(base, String(number))
    mkdirSync(root)
    const scene = createScene(root, material, stub, nowMs, createDice(seed, number))
    const which = `seed ${seed}, case ${number}: ${scene.about}`
    stub.damage = scene.damage
    const first = await init(scene.environment, '500ms')
    expect([0, 69, 78], `${which}\n${first.output}`).toContain(first.code)
    stub.damage = undefined
    scene.mend()
    const second = await init(scene.environment, '20s')
    expect(second.code, `${which}, mended\n${second.output}`).toBe(0)
    expect(problemIn(scene.directory, scene.names, Date.now()), which).toBeUndefined()
  }
}, 3_600_000)

/** Tokens and keys in what it says fail the test (test/support/agent-process.ts). */
async function init(environment: Readonly<Record<string, string>>, wait: string) {
  const agent = spawnAgent(environment, { args: ['init', '--wait', wait] })
  const { code, signal } = await agent.ended
  return { code: code ?? signal, output: agent.output() }
}

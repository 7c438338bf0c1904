/** Vault 1.21 does not sign with an issuer that is younger than what the role backdates by. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createTestNode, type Lab, startLab } from './lab.ts'

const clock = createFakeClock()
let lab: Omit<Lab, 'isReal'>

beforeAll(async () => {
  lab = await startLab(await startDevVault({ now: () => clock.now(), refusesYoungIssuers: true }), {})
})
afterAll(() => lab.stop())

test('the agent says so, and the next try, which comes when it can work, does', async () => {
  const { environment } = createTestNode(lab)
  const agent = await startAgent(environment, { clock })
  const { detail, retryAtMs } = await agent.nextEvent('renewal-failed', ({ reason }) => reason === 'issuer-too-young')
  expect(detail).toContain("notBefore before signer's notBefore")
  expect(retryAtMs - clock.now()).toBeGreaterThanOrEqual(30_000)
  expect(retryAtMs - clock.now()).toBeLessThan(40_000)
  await clock.nextSleep()
  await clock.pass(40_000)
  await agent.nextEvent('published', ({ reason }) => reason === 'never-published')
  const asked = agent.events.filter((event) => event.type === 'vault-request' && event.operation === 'sign')
  expect(asked.map((event) => 'outcome' in event && event.outcome)).toEqual(['issuer-too-young', 'ok'])
})

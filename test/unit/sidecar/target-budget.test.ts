/** Whatever makes the agent want one certificate after the other: Vault sees the budget, and the good certificate stays. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { plant, snapshot } from './rotation-files.ts'
import { hourMs, type Rig, rotationRig } from './rotation-rig.ts'

const made = (rig: Rig): number => rig.calls.filter((call) => call === 'obtain').length
const remaining = (rig: Rig): number => {
  const { limit = 0, spentUntilMs = [] } = rig.told('state').at(-1)?.state.budget ?? {}
  return limit - spentUntilMs.filter((ms) => ms > rig.clock.now()).length
}

async function renewNow(rig: Rig): Promise<void> {
  rig.loop.renewNow()
  await rig.clock.nextSleep()
}

test('a gate that always refuses, with nothing published: the budget, then its share of the hour, until it is mended', async () => {
  const rig = await rotationRig({ budget: 6 })
  rig.vault.leaf = { commonName: 'calico-node:somebody-else' }
  await rig.start()
  await rig.clock.pass(hourMs - 1)
  expect(made(rig)).toBeGreaterThan(6)
  expect(made(rig)).toBeLessThanOrEqual(12)
  expect(rig.told('renewal-failed').map(({ reason }) => reason)).toContain('budget-spent')
  const before = made(rig)
  await rig.clock.pass(24 * hourMs)
  expect(made(rig) - before).toBeLessThanOrEqual(24 * 6 + 6)
  rig.vault.leaf = {}
  await rig.clock.pass(hourMs / 6 + 60_000)
  expect(rig.told('published')).toHaveLength(1)
})

test('a gate that always refuses a renewal: the published certificate is untouched, and needed ones are still tried', async () => {
  const rig = await rotationRig({ budget: 2 })
  await rig.start()
  const before = snapshot(rig.path)
  rig.vault.leaf = { commonName: 'calico-node:somebody-else' }
  await rig.clock.pass(23 * hourMs)
  expect(snapshot(rig.path)).toEqual(before)
  rig.vault.leaf = {}
  await rig.clock.pass(hourMs - 60_000)
  expect(rig.told('published')).toHaveLength(2)
})

test('asked for again and again: refused, told, and free again an hour later', async () => {
  const rig = await rotationRig({ budget: 3 })
  await rig.start()
  await renewNow(rig)
  await renewNow(rig)
  expect(remaining(rig)).toBe(0)
  const before = snapshot(rig.path)
  for (let count = 0; count < 5; count++) await renewNow(rig)
  expect(made(rig)).toBe(3)
  expect(snapshot(rig.path)).toEqual(before)
  expect(rig.told('renewal-failed').at(-1)).toMatchObject({
    reason: 'budget-spent',
    detail: 'calico-node: 3 certificates within an hour, the budget is 3; the next one may be made in 1h',
  })
  await rig.clock.pass(hourMs + 400_000)
  expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-requested' })
  expect(made(rig)).toBe(4)
})

test('an identity that changes with every start: each process counts what the ones before had made', async () => {
  const rig = await rotationRig({ budget: 4 })
  await rig.start()
  let all = made(rig)
  for (let count = 0; count < 20; count++) {
    rig.wanted.commonName = () => `calico-node:name${count % 2}`
    await rig.restart()
    all += made(rig)
    rig.clock.advance(10_000)
  }
  expect(all).toBe(4)
  expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'budget-spent' }])
})

test('an outage spends nothing: its end finds the whole budget', async () => {
  const rig = await rotationRig({ budget: 2 })
  rig.vault.failure = new AgentError('vault-unreachable', 'ECONNREFUSED')
  await rig.start()
  await rig.clock.pass(hourMs)
  expect(made(rig)).toBeGreaterThan(20)
  expect(rig.told('renewal-failed').map(({ reason }) => reason)).not.toContain('budget-spent')
  expect(remaining(rig)).toBe(2)
})

test('what Vault answered and nobody can read was made all the same', async () => {
  const rig = await rotationRig({ budget: 2 })
  rig.vault.failure = new AgentError('malformed', 'pki/sign/calico-node: garbage')
  await rig.start()
  await rig.clock.pass(hourMs / 4)
  expect(made(rig)).toBe(2)
})

test('what waits as a pending certificate costs nothing more', async () => {
  const rig = await rotationRig({ budget: 2, probe: 'require' })
  rig.etcd.answer = () => 'etcd-unknown-user'
  await rig.start()
  await rig.clock.pass(hourMs)
  expect(made(rig)).toBe(1)
  expect(remaining(rig)).toBeGreaterThan(0)
})

test.each([
  ['back', -24 * hourMs],
  ['forward', 24 * hourMs],
])(
  'a clock that is set %s neither blocks for longer than an hour nor lifts the limit for good',
  async (_where, jumpMs) => {
    const rig = await rotationRig({ budget: 2 })
    await rig.start()
    await renewNow(rig)
    await renewNow(rig)
    expect(made(rig)).toBe(2)
    rig.clock.setWall(rig.clock.now() + jumpMs)
    rig.vault.leaf = {
      notBefore: new Date(rig.clock.now() - 100 * hourMs),
      notAfter: new Date(rig.clock.now() + 1000 * hourMs),
    }
    for (let count = 0; count < 10; count++) await renewNow(rig)
    expect(made(rig)).toBeLessThanOrEqual(5)
    await rig.clock.pass(2 * hourMs)
    expect(rig.told('renewal-failed').at(-1)?.retryAtMs).toBeLessThan(rig.clock.now())
  },
)

test('a record that nobody can read is told once, and replaced', async () => {
  const rig = await rotationRig({ budget: 3 })
  writeFileSync(join(rig.path, '..issued'), 'garbage')
  await rig.start()
  await renewNow(rig)
  expect(rig.told('store-flaw')).toMatchObject([{ reason: 'issuance-record' }])
  expect(JSON.parse(readFileSync(join(rig.path, '..issued'), 'utf8'))).toMatchObject({
    issuedAtMs: [rig.clock.now(), rig.clock.now()],
  })
})

test('a certificate in place is used whatever the budget says', async () => {
  const rig = await rotationRig({ budget: 1 })
  plant(rig.path, await rig.candidate())
  await rig.start()
  expect(rig.told('found')).toHaveLength(1)
  expect(made(rig)).toBe(0)
})

/** What is told of a target's state: health, metrics and status are views of that one value. */
import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import type { TargetView } from '../../../agent/sidecar/observe/events.ts'
import { clear, plant, publishedIn } from './rotation-files.ts'
import { hourMs, oldCa, type Rig, type RigOptions, rotationRig } from './rotation-rig.ts'

const sealed = new AgentError('vault-sealed', '503 Vault is sealed')
const told = (rig: Rig): TargetView | undefined => rig.told('state').at(-1)?.state

/** A certificate is published, and the renewal that is due fails. */
async function failing(options: RigOptions = {}): Promise<Rig> {
  const rig = await rotationRig(options)
  await rig.start()
  rig.vault.failure = sealed
  rig.clock.advance(16 * hourMs)
  await rig.clock.nextSleep()
  expect(told(rig)?.failure).toMatchObject({ reason: 'vault-sealed', detail: sealed.message })
  return rig
}

test('a certificate that is published, with its dates; nothing else is known yet', async () => {
  const rig = await rotationRig()
  await rig.start()
  const { serialNumber } = publishedIn(rig.path)
  expect(told(rig)).toMatchObject({ certificate: { serialNumber, ca: { count: 1, changedSinceStart: false } } })
  expect([told(rig)?.failure, told(rig)?.verification]).toEqual([undefined, undefined])
  expect(told(rig)?.certificate).toEqual(rig.told('published')[0]?.certificate)
})

test('a failure, with the moment of its retry; a renewal ends it', async () => {
  const rig = await failing()
  expect(told(rig)?.failure?.retryAtMs).toBe(rig.told('renewal-failed').at(-1)?.retryAtMs)
  const { atMs, firstAtMs } = told(rig)?.failure ?? { atMs: 0, firstAtMs: 0 }
  expect(atMs).toBe(firstAtMs)
  await rig.clock.pass(hourMs)
  expect(told(rig)?.failure).toMatchObject({ reason: 'vault-sealed', firstAtMs })
  expect(told(rig)?.failure?.atMs).toBeGreaterThan(firstAtMs)
  rig.vault.failure = new AgentError('vault-unreachable', 'ECONNREFUSED')
  await rig.clock.pass(hourMs)
  const other = told(rig)?.failure
  expect(other).toMatchObject({ reason: 'vault-unreachable' })
  expect(other?.firstAtMs).toBeGreaterThan(firstAtMs)
  rig.vault.failure = undefined
  await rig.clock.pass(hourMs)
  expect(told(rig)?.failure).toBeUndefined()
  expect(told(rig)?.certificate?.serialNumber).toBe(publishedIn(rig.path).serialNumber)
})

test('a good certificate that somebody else has written ends a failure too', async () => {
  const rig = await failing()
  plant(rig.path, await rig.candidate(), oldCa)
  rig.loop.recheck()
  await rig.clock.nextSleep()
  expect(rig.told('found')).toHaveLength(1)
  expect(told(rig)?.failure).toBeUndefined()
})

test('what comes from the cache ends none', async () => {
  const rig = await rotationRig({ withState: true })
  await rig.start()
  await rig.stop()
  clear(rig.path)
  rig.clock.advance(23 * hourMs)
  rig.vault.failure = sealed
  await rig.restart()
  expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-state' }])
  expect(told(rig)).toMatchObject({
    certificate: { serialNumber: expect.any(String) },
    failure: { reason: sealed.code },
  })
})

test('whether etcd has accepted what is published, from a cache too', async () => {
  const rig = await rotationRig({ probe: 'require', withState: true })
  await rig.start()
  expect(told(rig)?.verification).toMatchObject({ isAccepted: true })
  await rig.stop()
  clear(rig.path)
  rig.etcd.answer = () => 'etcd-unheard'
  await rig.restart()
  expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-state' }])
  expect(told(rig)?.verification).toMatchObject({ isAccepted: false, reason: 'etcd-unheard' })
  // As everything that was published unverified.
  rig.etcd.answer = () => 'accepted'
  await rig.clock.pass(330_000)
  expect(told(rig)?.verification).toMatchObject({ isAccepted: true })
})

test('nothing is told anew that is as before', async () => {
  const rig = await rotationRig()
  await rig.start()
  const before = rig.told('state').length
  await rig.clock.pass(hourMs / 2)
  expect(rig.told('heartbeat').length).toBeGreaterThan(50)
  expect(rig.told('state')).toHaveLength(before)
})

test('no private key is told', async () => {
  const rig = await rotationRig()
  await rig.start()
  expect(JSON.stringify(rig.told('state'))).not.toMatch(/PRIVATE|"key"/)
})

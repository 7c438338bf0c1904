/** Certificates that are made elsewhere: the rotation looks, judges and publishes, and says when nothing newer comes. */
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, type Rig, rotationRig, startMs } from './rotation-rig.ts'

const pollMs = 300_000

async function deliver(rig: Rig, afterMs = 0, signer = oldCa): Promise<string> {
  const notBefore = new Date(startMs - 30_000 + afterMs)
  rig.there.candidate = await rig.candidate(signer, { notBefore, notAfter: new Date(+notBefore + 100 * hourMs) })
  return rig.there.candidate.leaf.serialNumber
}

async function deliveredRig(options: Parameters<typeof rotationRig>[0] = {}): Promise<Rig> {
  const rig = await rotationRig({ ...options, isDelivered: true })
  await deliver(rig)
  return rig
}

describe('a delivered certificate', () => {
  test('is published at the start, and not called issued', async () => {
    const rig = await deliveredRig()
    await rig.start()
    expect(publishedIn(rig.path).serialNumber).toBe(rig.there.candidate?.leaf.serialNumber)
    expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
    expect(rig.told('issued')).toEqual([])
  })

  test('is waited for where there is none yet', async () => {
    const rig = await deliveredRig()
    rig.there.candidate = undefined
    await rig.start()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'source-empty', notAfterMs: undefined }])
    const serialNumber = await deliver(rig)
    await rig.clock.pass(10_000)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  })

  test('gives way to a newer one at the next look, once in the interval', async () => {
    const rig = await deliveredRig()
    await rig.start()
    await rig.clock.pass(pollMs)
    expect(rig.calls).toEqual(['poll', 'poll'])
    const serialNumber = await deliver(rig, 1000)
    await rig.clock.pass(pollMs)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'source-changed' })
  })

  test('keeps its CA set in step with the source', async () => {
    const rig = await deliveredRig()
    await rig.start()
    rig.vault.issuers = [oldCa, newCa]
    const { leaf, key } = rig.there.candidate ?? (await rig.candidate())
    rig.there.candidate = { ...(await rig.candidate()), leaf, key }
    await rig.clock.pass(pollMs)
    expect(publishedIn(rig.path)).toMatchObject({ serialNumber: leaf.serialNumber, ca: ['CN=New CA', 'CN=Old CA'] })
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'ca-set-changed' })
  })

  test('costs nothing at a restart, and its age outlives it', async () => {
    const rig = await deliveredRig()
    await deliver(rig, 1000)
    await rig.start()
    const before = snapshot(rig.path)
    await deliver(rig, 0)
    await rig.restart()
    expect(rig.calls).toEqual([])
    await rig.clock.pass(pollMs)
    expect(snapshot(rig.path)).toEqual(before)
    expect(new Set(rig.told('renewal-failed').map(({ reason }) => reason))).toEqual(new Set(['source-older']))
  })
})

describe('what the gate refuses', () => {
  test('keeps the old one, and is noticed within an interval once it has been mended', async () => {
    const rig = await deliveredRig()
    await rig.start()
    const before = snapshot(rig.path)
    rig.there.candidate = await rig.candidate(oldCa, { commonName: 'somebody', notBefore: new Date(startMs) })
    await rig.clock.pass(3 * hourMs)
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'wrong-name' })
    const serialNumber = await deliver(rig, 2000)
    await rig.clock.pass(pollMs)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  })

  test('or the source itself, is over when what is published is there again', async () => {
    const rig = await deliveredRig()
    await rig.start()
    const good = rig.there.candidate
    rig.there.candidate = await rig.candidate(oldCa, { commonName: 'somebody', notBefore: new Date(startMs) })
    await rig.clock.pass(pollMs)
    expect(rig.loop.failure()?.code).toBe('wrong-name')
    rig.there.candidate = good
    await rig.clock.pass(pollMs)
    expect(rig.loop.failure()).toBeUndefined()
    expect(rig.told('recovered')).toHaveLength(1)
    expect(rig.told('published')).toHaveLength(1)
  })

  test('because etcd does not know its user is read again, not kept: it may have been replaced', async () => {
    const rig = await deliveredRig({ probe: 'require' })
    const wrong = rig.there.candidate?.leaf.serialNumber
    rig.etcd.answer = (bundle) => (bundle.leaf.serialNumber === wrong ? 'etcd-unknown-user' : 'accepted')
    await rig.start()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'etcd-unknown-user' }])
    const serialNumber = await deliver(rig, 1000)
    await rig.clock.pass(10_000)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  })
})

describe('nothing newer', () => {
  test('is told when a tenth of the lifetime is left, again and again, until there is', async () => {
    const rig = await deliveredRig()
    await rig.start()
    await rig.clock.pass(89 * hourMs)
    expect(rig.told('renewal-failed')).toEqual([])
    await rig.clock.pass(2 * hourMs)
    expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'nothing-newer' })
    expect(rig.loop.failure()?.code).toBe('nothing-newer')
    const serialNumber = await deliver(rig, 90 * hourMs)
    await rig.clock.pass(pollMs)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
    expect(rig.loop.failure()).toBeUndefined()
  })

  test('is a full answer to SIGHUP', async () => {
    const rig = await deliveredRig()
    await rig.start()
    rig.calls.length = 0
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    await rig.clock.pass(10_000)
    expect([rig.calls, rig.told('renewal-failed'), rig.told('published').length]).toEqual([['poll'], [], 1])
  })

  test('is better than nothing: an older one that is still valid replaces an expired one', async () => {
    const rig = await deliveredRig()
    await rig.start()
    rig.there.candidate = await rig.candidate(oldCa, {
      notBefore: new Date(startMs - hourMs),
      notAfter: new Date(startMs + 900 * hourMs),
    })
    await rig.clock.pass(hourMs)
    expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'source-older' })
    await rig.clock.pass(99 * hourMs + pollMs)
    expect(publishedIn(rig.path).serialNumber).toBe(rig.there.candidate?.leaf.serialNumber)
  })
})

test('an outage of the source is told and endangers nothing', async () => {
  const rig = await deliveredRig()
  await rig.start()
  const before = snapshot(rig.path)
  rig.vault.failure = new AgentError('vault-sealed', 'GET secret: 503 Vault is sealed')
  await rig.clock.pass(hourMs)
  expect(rig.told('ca-refresh-failed').at(-1)).toMatchObject({ reason: 'vault-sealed' })
  expect([snapshot(rig.path), rig.told('renewal-failed')]).toEqual([before, []])
})

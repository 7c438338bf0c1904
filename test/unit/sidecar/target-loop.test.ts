import { describe, expect, test } from 'vitest'
import { type BackoffState, planRetry } from '../../../agent/core/backoff.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { createTargetLoop } from '../../../agent/sidecar/target-loop.ts'
import { publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, name, type Rig, rotationRig } from './rotation-rig.ts'

const sealed = (): AgentError => new AgentError('vault-sealed', 'POST login: 503 Vault is sealed')
const refused = (): AgentError => new AgentError('vault-login-refused', 'POST login: 400 role "x" could not be found')

const renewAtMs = ({ loop }: Rig): number => loop.published()?.plan.renewAtMs ?? Number.NaN

/** Lets the machine sleep until the moment of the renewal, give or take. */
async function goToRenewal(rig: Rig, beforeMs = 0): Promise<void> {
  rig.clock.advance(Math.ceil(renewAtMs(rig) - beforeMs - rig.clock.now()))
  await rig.clock.nextSleep()
}

describe('a start', () => {
  test('with an empty directory publishes the first certificate', async () => {
    const rig = await rotationRig()
    await rig.start()
    const { leaf, ca } = publishedIn(rig.path)
    expect([leaf.subject, ca]).toEqual([`CN=${name}`, ['CN=Old CA']])
    expect(rig.calls).toEqual(['obtain'])
    expect(rig.events.map(({ type }) => type)).toEqual(['state', 'issued', 'state', 'published', 'heartbeat'])
    expect(rig.told('issued')).toMatchObject([{ reason: 'never-published', keyReused: false }])
    expect(rig.told('published')).toMatchObject([
      { reason: 'never-published', certificate: { serialNumber: leaf.serialNumber, ca: { changedSinceStart: false } } },
    ])
  })

  test('looks at the node once for each thing that it does, and not again for what an inspection has found', async () => {
    const rig = await rotationRig()
    let looks = 0
    rig.loop = createTargetLoop({
      ...rig.options,
      readInputs: (wanted) => {
        looks++
        return rig.options.readInputs(wanted)
      },
    })
    await rig.start()
    expect(rig.told('published')).toHaveLength(1)
    // The empty directory, the renewal, and what was published.
    expect(looks).toBe(3)
  })

  test('with a good certificate asks the source for nothing until it is due', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    await rig.restart()
    expect(rig.calls).toEqual([])
    expect(rig.events.map(({ type }) => type)).toEqual(['state', 'found', 'heartbeat'])
    expect(snapshot(rig.path)).toEqual(before)
    await rig.clock.pass(30_000)
    expect(rig.calls).toEqual([])
  })

  test('sleeps 30 s at most, and says until when', async () => {
    const rig = await rotationRig()
    await rig.start()
    expect(await rig.clock.nextSleep()).toBeLessThanOrEqual(30_000)
    const until = rig.told('heartbeat').at(-1)?.nextStepAtMs ?? 0
    expect(until - rig.clock.now()).toBe(await rig.clock.nextSleep())
  })
})

describe('a renewal', () => {
  test('comes at its scheduled moment and not before', async () => {
    const rig = await rotationRig()
    await rig.start()
    const first = publishedIn(rig.path).serialNumber
    await goToRenewal(rig, 1000)
    expect(publishedIn(rig.path).serialNumber).toBe(first)
    rig.clock.advance(1000)
    await rig.clock.nextSleep()
    expect(rig.told('published').map(({ reason }) => reason)).toEqual(['never-published', 'renewal-due'])
    const { serialNumber } = publishedIn(rig.path)
    expect(serialNumber).not.toBe(first)
    expect(rig.loop.published()?.bundle.leaf.serialNumber).toBe(serialNumber)
  })

  test('follows a renewal forever, each with a key of its own', async () => {
    const rig = await rotationRig()
    await rig.start()
    const keys = new Set([snapshot(rig.path)['etcd-key']])
    for (let count = 0; count < 5; count++) {
      await goToRenewal(rig)
      keys.add(snapshot(rig.path)['etcd-key'])
      expect(publishedIn(rig.path).leaf.validToDate.getTime()).toBeGreaterThan(rig.clock.now() + 23 * hourMs)
    }
    expect(keys.size).toBe(6)
    expect(rig.told('renewal-failed')).toEqual([])
  })

  test('gives way to those who need it more, where Vault was down just before', async () => {
    const rig = await rotationRig()
    await rig.start()
    const dueMs = renewAtMs(rig)
    await goToRenewal(rig, hourMs)
    rig.vault.failure = sealed()
    await rig.clock.pass(hourMs - 1000)
    expect(rig.told('ca-refresh-failed')).not.toEqual([])
    rig.vault.failure = undefined
    await rig.clock.pass(2 * hourMs)
    expect(rig.told('renewal-failed')).toEqual([])
    const [, renewed] = rig.told('published')
    expect(renewed?.certificate.notBeforeMs).toBeGreaterThan(dueMs + hourMs / 2)
  })

  test('keeps the key as often as is allowed', async () => {
    const rig = await rotationRig({ keyReuse: 2 })
    await rig.start()
    const keys = [snapshot(rig.path)['etcd-key']]
    for (let count = 0; count < 6; count++) {
      await goToRenewal(rig)
      keys.push(snapshot(rig.path)['etcd-key'])
    }
    const numbers = keys.map((key) => [...new Set(keys)].indexOf(key))
    expect(numbers).toEqual([0, 0, 0, 1, 1, 1, 2])
    expect(rig.told('issued').map(({ keyReused }) => keyReused)).toEqual([false, true, true, false, true, true, false])
  })

  test('after a restart has a new key: the age of the old one is not known', async () => {
    const rig = await rotationRig({ keyReuse: 10 })
    await rig.start()
    await rig.restart()
    await goToRenewal(rig)
    expect(rig.told('issued')).toMatchObject([{ keyReused: false }])
  })
})

describe('a failure', () => {
  test('keeps the old files byte for byte and is tried again as planned', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    rig.vault.failure = sealed()
    await goToRenewal(rig)
    const notAfterMs = publishedIn(rig.path).leaf.validToDate.getTime()
    let backoff: BackoffState | undefined
    for (let count = 1; count <= 8; count++) {
      const now = rig.clock.now()
      const [delayMs, next] = planRetry(backoff, { class: 'outage', runwayMs: notAfterMs - now }, 0.5)
      backoff = next
      const kept = rig.told('renewal-failed')
      expect(kept).toHaveLength(count)
      expect(kept.at(-1)).toMatchObject({ reason: 'vault-sealed', notAfterMs, retryAtMs: now + delayMs })
      await rig.clock.pass(delayMs - 1)
      expect(rig.told('renewal-failed')).toHaveLength(count)
      rig.clock.advance(1)
      await rig.clock.nextSleep()
    }
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.loop.failure()?.code).toBe('vault-sealed')
    rig.vault.failure = undefined
    await rig.clock.pass(hourMs)
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-due' })
    expect(rig.loop.failure()).toBeUndefined()
  })

  test('of another class begins its own ladder', async () => {
    const rig = await rotationRig()
    const failures = [sealed(), sealed(), refused(), refused(), sealed()]
    const spacings: number[] = []
    for (const failure of failures) {
      rig.vault.failure = failure
      if (rig.calls.length === 0) await rig.start()
      else rig.clock.advance(Math.ceil(spacings.at(-1) ?? 0))
      await rig.clock.nextSleep()
      spacings.push((rig.told('renewal-failed').at(-1)?.retryAtMs ?? 0) - rig.clock.now())
    }
    const first = (kind: 'outage' | 'refused') => planRetry(undefined, { class: kind, runwayMs: 0 }, 0.5)
    const second = (kind: 'outage' | 'refused') => planRetry(first(kind)[1], { class: kind, runwayMs: 0 }, 0.5)
    expect(spacings).toEqual([
      first('outage')[0],
      second('outage')[0],
      first('refused')[0],
      second('refused')[0],
      first('outage')[0],
    ])
  })

  test('with Retry-After waits at least as long', async () => {
    const rig = await rotationRig()
    rig.vault.failure = new AgentError('vault-rate-limited', '429', { retryAfterMs: 120_000 })
    await rig.start()
    const [{ retryAtMs } = { retryAtMs: 0 }] = rig.told('renewal-failed')
    expect(retryAtMs - rig.clock.now()).toBeGreaterThanOrEqual(120_000)
  })

  test('of the gate keeps the old one, with its reason', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    rig.vault.leaf = { commonName: 'CALICO-NODE:node1' }
    await goToRenewal(rig)
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'wrong-name' }])
    expect(snapshot(rig.path)).toEqual(before)
    // Refused is thrown away, not kept for later.
    rig.vault.leaf = {}
    await rig.clock.pass(60_000)
    expect(rig.calls.filter((call) => call === 'obtain')).toHaveLength(3)
    expect(rig.told('published')).toHaveLength(2)
  })

  test('does not delay renewNow', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.vault.failure = sealed()
    await goToRenewal(rig)
    rig.vault.failure = undefined
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-requested' })
    expect(rig.told('renewal-failed')).toHaveLength(1)
  })
})

test('renewNow renews a good certificate at once', async () => {
  const rig = await rotationRig()
  await rig.start()
  rig.loop.renewNow()
  await rig.clock.nextSleep()
  expect(rig.told('published').map(({ reason }) => reason)).toEqual(['never-published', 'renewal-requested'])
  await rig.clock.pass(60_000)
  expect(rig.calls).toEqual(['obtain', 'obtain'])
})

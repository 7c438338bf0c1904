import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { createTargetLoop } from '../../../agent/sidecar/target-loop.ts'
import { plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, oldCa, rotationRig } from './rotation-rig.ts'

const sealed = new AgentError('vault-sealed', '503 Vault is sealed')

describe('stop', () => {
  test('while it sleeps ends the run', async () => {
    const rig = await rotationRig()
    await rig.start()
    await rig.stop()
    expect(rig.clock.sleeping()).toBe(0)
    expect(rig.calls).toEqual(['obtain'])
  })

  test('before the start does nothing', async () => {
    const rig = await rotationRig()
    const stop = new AbortController()
    stop.abort()
    await rig.loop.run(stop.signal)
    expect([rig.calls, rig.events]).toEqual([[], []])
  })

  test.each([
    ['obtain', undefined],
    ['obtain', sealed],
    ['poll', undefined],
    ['poll', sealed],
  ] as const)('while the source is asked (%s) ends the run with its answer (%s)', async (call, failure) => {
    const rig = await rotationRig()
    if (call === 'poll') await rig.start()
    const asked = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<void>()
    rig.vault.before = () => {
      asked.resolve()
      return answered.promise
    }
    if (call === 'obtain') void rig.start()
    else rig.clock.advance(hourMs)
    await asked.promise
    rig.vault.failure = failure
    const stopped = rig.stop()
    answered.resolve()
    await stopped
    expect(rig.clock.sleeping()).toBe(0)
  })

  test('and start again goes on', async () => {
    const rig = await rotationRig()
    await rig.start()
    await rig.stop()
    await rig.start()
    rig.clock.advance(24 * hourMs)
    await rig.clock.nextSleep()
    expect(rig.told('published')).toHaveLength(2)
  })
})

describe('a bug', () => {
  test('in the source ends the run with it', async () => {
    const rig = await rotationRig()
    rig.vault.failure = new TypeError('undefined is not a function')
    await expect(rig.start()).rejects.toThrow(TypeError)
    expect(rig.told('renewal-failed')).toEqual([])
  })

  test('in a look at the issuers ends the run with it', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.vault.failure = new TypeError('undefined is not a function')
    rig.clock.advance(hourMs)
    await expect(rig.ended()).rejects.toThrow(TypeError)
  })
})

describe('once, for init', () => {
  test('ends with the first certificate', async () => {
    const rig = await rotationRig()
    await rig.once()
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
    expect(rig.clock.sleeping()).toBe(0)
  })

  test('ends at once where the certificate is good', async () => {
    const rig = await rotationRig()
    plant(rig.path, await rig.candidate())
    await rig.once()
    expect(rig.calls).toEqual([])
    expect(rig.told('found')).toHaveLength(1)
  })

  test('tries until there is one', async () => {
    const rig = await rotationRig()
    rig.vault.failure = sealed
    const ended = rig.once()
    await rig.clock.pass(5000)
    rig.vault.failure = undefined
    rig.clock.advance(await rig.clock.nextSleep())
    await ended
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })

  test('renews what is due, but does not wait for it: what is in place is good', async () => {
    const rig = await rotationRig()
    plant(rig.path, await rig.candidate(oldCa, { notAfter: new Date(rig.clock.now() + 60_000) }))
    rig.clock.advance(55_000)
    rig.vault.failure = sealed
    const before = snapshot(rig.path)
    await rig.once()
    expect(rig.calls).toEqual(['obtain'])
    expect(snapshot(rig.path)).toEqual(before)
    rig.vault.failure = undefined
    rig.clock.advance(2000)
    await rig.once()
    expect(rig.told('published')).toHaveLength(1)
  })

  test('is satisfied by the static certificate where the source fails', async () => {
    const rig = await rotationRig({ withBootstrap: true })
    plant(rig.bootstrapPath, await rig.candidate())
    rig.vault.failure = sealed
    await rig.once()
    expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-bootstrap' }])
  })

  test('ends without one when it is stopped', async () => {
    const rig = await rotationRig()
    rmSync(rig.path, { recursive: true })
    const stop = new AbortController()
    const ended = rig.loop.run(stop.signal, true)
    await rig.clock.nextSleep()
    stop.abort()
    await ended
    expect(rig.loop.published()).toBeUndefined()
    expect(rig.loop.failure()?.code).toBe('directory-missing')
  })
})

describe('the wall clock', () => {
  test('that is set forward past the renewal: it is noticed within 30 s', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.clock.setWall(rig.clock.now() + 20 * hourMs)
    await rig.clock.pass(30_000)
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-due' })
  })

  test('that is set back: the certificate stays, its renewal comes by the new time', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    const renewAtMs = rig.loop.published()?.plan.renewAtMs ?? 0
    rig.clock.setWall(rig.clock.now() - 24 * hourMs)
    await rig.clock.pass(2 * hourMs)
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.calls.filter((call) => call === 'obtain')).toHaveLength(1)
    // The issuers are looked at as before: nothing waits for the old time to come again.
    expect(rig.calls.filter((call) => call === 'poll').length).toBeGreaterThanOrEqual(2)
    rig.clock.setWall(Math.ceil(renewAtMs))
    await rig.clock.pass(30_000)
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-due' })
  })

  test.each([-1000 * hourMs, 50 * 365 * 24 * hourMs])('that is set by %d ms does not move a retry', async (jumpMs) => {
    const rig = await rotationRig()
    rig.vault.failure = sealed
    await rig.start()
    const retryInMs = (rig.told('renewal-failed')[0]?.retryAtMs ?? 0) - rig.clock.now()
    rig.clock.setWall(rig.clock.now() + jumpMs)
    await rig.clock.pass(retryInMs - 1)
    expect(rig.calls).toHaveLength(1)
    rig.clock.advance(1)
    await rig.clock.nextSleep()
    expect(rig.calls).toHaveLength(2)
  })
})

describe('a renewal that is asked for', () => {
  test.each(['issued', 'published'] as const)('while the first step still ends (%s) is done after it', async (when) => {
    const rig = await rotationRig()
    const { emit } = rig.options
    let isAsked = false
    rig.loop = createTargetLoop({
      ...rig.options,
      emit: (event) => {
        emit(event)
        if (event.type !== when || isAsked) return
        isAsked = true
        rig.loop.renewNow()
      },
    })
    await rig.start()
    expect(rig.told('published').map(({ reason }) => reason)).toEqual(['never-published', 'renewal-requested'])
  })

  test('while the cache is put in the place of a broken certificate is not answered by the cache', async () => {
    const rig = await rotationRig({ withState: true })
    await rig.start()
    await rig.stop()
    writeFileSync(join(rig.path, 'etcd-cert'), 'garbage')
    rig.events.length = 0
    rig.loop = createTargetLoop(rig.options)
    rig.loop.renewNow()
    await rig.start()
    expect(rig.told('published').map(({ reason }) => reason)).toEqual(['restored-from-state', 'renewal-requested'])
  })
})

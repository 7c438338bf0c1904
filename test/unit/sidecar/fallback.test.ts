import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { clear, filesIn, plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, type Rig, rotationRig, startMs } from './rotation-rig.ts'

const sealed = new AgentError('vault-sealed', '503 Vault is sealed')
let rig: Rig

describe('the state directory', () => {
  beforeEach(async () => {
    rig = await rotationRig({ withState: true })
  })

  test('gets every certificate that is published', async () => {
    await rig.start()
    expect(publishedIn(rig.statePath).serialNumber).toBe(publishedIn(rig.path).serialNumber)
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(publishedIn(rig.statePath).serialNumber).toBe(publishedIn(rig.path).serialNumber)
  })

  test('starts the next pod without the source', async () => {
    await rig.start()
    const { generation: _generation, ...texts } = snapshot(rig.path)
    clear(rig.path)
    await rig.restart()
    expect(snapshot(rig.path)).toMatchObject(texts)
    expect(rig.calls).toEqual([])
    expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-state' }])
    await rig.clock.pass(60_000)
    expect(rig.calls).toEqual([])
  })

  test('is of no use where its certificate is due, while the source works', async () => {
    await rig.start()
    await rig.stop()
    clear(rig.path)
    rig.clock.advance(23 * hourMs)
    await rig.restart()
    expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
  })

  test('starts the node with a certificate that is due where the source fails, and is then replaced', async () => {
    await rig.start()
    await rig.stop()
    clear(rig.path)
    rig.clock.advance(23 * hourMs)
    rig.vault.failure = sealed
    await rig.restart()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'vault-sealed', notAfterMs: undefined }])
    expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-state' }])
    expect(publishedIn(rig.path)).toEqual(publishedIn(rig.statePath))
    rig.vault.failure = undefined
    await rig.clock.pass(60_000)
    expect(rig.told('published')).toMatchObject([{}, { reason: 'never-published' }])
  })

  test.each<[string, object, typeof oldCa]>([
    ['wrong-name', { commonName: 'calico-node:other' }, oldCa],
    ['untrusted-chain', {}, newCa],
    ['expired', { notBefore: new Date(startMs - 2 * hourMs), notAfter: new Date(startMs - hourMs) }, oldCa],
  ])('is of no use where its certificate is %s', async (reason, leaf, signer) => {
    plant(rig.statePath, await rig.candidate(signer, leaf))
    rig.vault.failure = sealed
    await rig.start()
    expect(rig.told('fallback-failed')[0]).toMatchObject({ reason, detail: expect.stringContaining(rig.statePath) })
    expect(rig.told('published')).toEqual([])
    expect(filesIn(rig.path)).toEqual([])
  })

  test('full of garbage is told, and written anew', async () => {
    plant(rig.statePath, await rig.candidate())
    rmSync(join(rig.statePath, '..data', 'etcd-cert'))
    writeFileSync(join(rig.statePath, '..data', 'etcd-cert'), 'garbage')
    await rig.start()
    expect(rig.told('fallback-failed')).toMatchObject([{ reason: 'malformed' }])
    expect(publishedIn(rig.statePath).serialNumber).toBe(publishedIn(rig.path).serialNumber)
  })

  test('that cannot be written is told; the certificate is published all the same', async () => {
    rmSync(rig.statePath, { recursive: true })
    await rig.start()
    expect(rig.told('fallback-failed')).toMatchObject([{ reason: 'directory-missing' }])
    expect(rig.told('published')).toHaveLength(1)
    expect(rig.told('renewal-failed')).toEqual([])
  })
})

describe('the bootstrap directory', () => {
  beforeEach(async () => {
    rig = await rotationRig({ withBootstrap: true })
    plant(rig.bootstrapPath, await rig.candidate(newCa, { commonName: 'calico-static' }), newCa)
  })

  test('is not looked at while the source works', async () => {
    await rig.start()
    expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })

  test('starts the node where the source fails, under whatever name; and is replaced as soon as the source works', async () => {
    rig.vault.failure = sealed
    await rig.start()
    expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-bootstrap' }])
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-static')
    await rig.clock.pass(30_000)
    expect(rig.told('published')).toHaveLength(1)
    rig.vault.failure = undefined
    await rig.clock.pass(hourMs)
    const { leaf, ca } = publishedIn(rig.path)
    expect(leaf.subject).toBe('CN=calico-node:node1')
    // The static certificate may be in use still.
    expect(ca).toContain('CN=New CA')
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'never-published' })
  })

  test('is used again after a restart, and still replaced', async () => {
    rig.vault.failure = sealed
    await rig.start()
    await rig.restart()
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-static')
    rig.vault.failure = undefined
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })

  test('takes over from a certificate that has expired in an outage', async () => {
    await rig.start()
    rig.vault.failure = sealed
    const notAfter = new Date(rig.clock.now() + 99 * hourMs)
    plant(rig.bootstrapPath, await rig.candidate(newCa, { commonName: 'calico-static', notAfter }), newCa)
    rig.clock.advance(25 * hourMs)
    await rig.clock.nextSleep()
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'restored-from-bootstrap' })
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-static')
  })

  test.each([
    ['Vault says two days ago', -48],
    ["Vault's clock says two days from now", 48],
  ])('does not take over from a certificate that works by our clock, where %s', async (_what, hours) => {
    await rig.start()
    const { serialNumber } = publishedIn(rig.path)
    rig.vault.failure = sealed
    rig.vaultAhead.ms = hours * hourMs
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
    expect(rig.told('published')).toHaveLength(1)
  })

  test.each([-48, 8760])("nor where our clock is set by %d h and Vault's, known before, goes on", async (hours) => {
    await rig.start()
    const { serialNumber } = publishedIn(rig.path)
    rig.vault.failure = sealed
    rig.clock.setWall(rig.clock.now() + hours * hourMs)
    rig.vaultAhead.ms = -hours * hourMs
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  })

  test('nor after a start whose clock is behind: what stands there has begun, and is renewed as soon as that can be', async () => {
    await rig.start()
    const { serialNumber } = publishedIn(rig.path)
    await rig.stop()
    rig.clock.setWall(rig.clock.now() - 2 * hourMs)
    rig.vault.failure = sealed
    await rig.restart()
    expect(rig.told('found')).toHaveLength(1)
    expect(rig.told('renewal-failed')).toHaveLength(1)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
    expect(rig.told('published')).toEqual([])
    rig.vault.failure = undefined
    rig.vaultAhead.ms = 2 * hourMs
    await rig.clock.pass(hourMs)
    expect(rig.told('published')).toMatchObject([{ reason: 'not-yet-valid' }])
  })

  test.each<[string, object]>([
    ['expired', { notBefore: new Date(startMs - 2 * hourMs), notAfter: new Date(startMs - hourMs) }],
    ['not-client-auth', { server: true }],
  ])('is of no use where its certificate is %s', async (reason, leaf) => {
    plant(rig.bootstrapPath, await rig.candidate(newCa, leaf), newCa)
    rig.vault.failure = sealed
    await rig.start()
    expect(rig.told('fallback-failed')).toMatchObject([{ reason, detail: expect.stringContaining(rig.bootstrapPath) }])
    expect(filesIn(rig.path)).toEqual([])
  })

  test('does not help where the target directory is missing; that is told and tried again', async () => {
    rig.vault.failure = sealed
    rmSync(rig.path, { recursive: true })
    await rig.start()
    await rig.clock.pass(60_000)
    expect(rig.told('renewal-failed').length).toBeGreaterThan(1)
    expect(rig.told('renewal-failed')[0]).toMatchObject({ reason: 'directory-missing' })
  })

  test('comes after the state directory', async () => {
    rig = await rotationRig({ withBootstrap: true, withState: true })
    plant(rig.bootstrapPath, await rig.candidate(oldCa, { commonName: 'static' }))
    plant(rig.statePath, await rig.candidate())
    rig.vault.failure = sealed
    await rig.start()
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })
})

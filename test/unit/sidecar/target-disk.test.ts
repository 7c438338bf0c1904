import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { createKeyPair } from '../../support/certificates.ts'
import { fileNames, plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, type Rig, rotationRig, startMs } from './rotation-rig.ts'

/** Bytes of a published file, changed behind the agent's back. */
function tamper(path: string, file: string, text: string): void {
  const published = join(path, '..data', file)
  chmodSync(published, 0o600)
  writeFileSync(published, text)
}

async function look(rig: Rig): Promise<void> {
  rig.loop.recheck()
  await rig.clock.nextSleep()
}

describe('what stands on disk at the start is renewed where it is', () => {
  type Plant = (rig: Rig) => Promise<void> | void
  const certificate =
    (leaf: object, signer = oldCa): Plant =>
    async (rig) =>
      plant(rig.path, await rig.candidate(signer, leaf))

  test.each<[string, Plant]>([
    ['wrong-name', certificate({ commonName: 'calico-node:node11' })],
    ['wrong-name', certificate({ commonName: 'Calico-node:node1' })],
    ['untrusted-chain', certificate({}, newCa)],
    ['expired', certificate({ notBefore: new Date(startMs - 2 * hourMs), notAfter: new Date(startMs - hourMs) })],
    ['not-yet-valid', certificate({ notBefore: new Date(startMs + hourMs) })],
    ['not-client-auth', certificate({ server: true })],
    [
      'key-mismatch',
      async (rig) => {
        await certificate({})(rig)
        tamper(rig.path, 'etcd-key', (await createKeyPair()).privateKeyPem)
      },
    ],
    ...fileNames.flatMap((file): [string, Plant][] => [
      [
        'malformed',
        async (rig) => {
          await certificate({})(rig)
          tamper(rig.path, file, 'garbage')
        },
      ],
      [
        'malformed',
        async (rig) => {
          await certificate({})(rig)
          tamper(rig.path, file, 'x'.repeat(10_000_000))
        },
      ],
      [
        'never-published',
        async (rig) => {
          await certificate({})(rig)
          rmSync(join(rig.path, '..data', file))
        },
      ],
    ]),
  ])('%s', async (reason, spoil) => {
    const rig = await rotationRig()
    await spoil(rig)
    await rig.start()
    expect(rig.told('published')).toMatchObject([{ reason }])
    // What was published once has begun: it is kept until the new one is there.
    expect(rig.told('found')).toHaveLength(reason === 'not-yet-valid' ? 1 : 0)
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })

  test('nothing is taken away while there is nothing better', async () => {
    const rig = await rotationRig()
    plant(rig.path, await rig.candidate(oldCa, { commonName: 'calico-node:node11' }))
    const before = snapshot(rig.path)
    rig.vault.failure = new AgentError('vault-sealed', 'sealed')
    await rig.start()
    await rig.clock.pass(60_000)
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.told('renewal-failed')[0]).toMatchObject({ reason: 'vault-sealed', notAfterMs: undefined })
  })

  test('little time left is no reason: the schedule replaces it', async () => {
    const rig = await rotationRig()
    plant(rig.path, await rig.candidate(oldCa, { notAfter: new Date(rig.clock.now() + 20_000) }))
    rig.vault.failure = new AgentError('vault-sealed', 'sealed')
    await rig.start()
    expect(rig.told('found')).toHaveLength(1)
  })
})

describe('files changed behind our back', () => {
  test.each(fileNames)('%s is put back without the source', async (file) => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    tamper(rig.path, file, 'garbage')
    await look(rig)
    const { generation, ...texts } = snapshot(rig.path)
    expect(before).toMatchObject(texts)
    expect(generation).not.toBe(before['generation'])
    expect(rig.calls).toEqual(['obtain'])
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'files-changed' })
  })

  test('everything removed is put back', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    rmSync(rig.path, { recursive: true })
    mkdirSync(rig.path)
    await look(rig)
    expect(before).toMatchObject({ ...snapshot(rig.path), generation: before['generation'] })
    expect(rig.calls).toEqual(['obtain'])
  })

  test('an older certificate does not replace ours', async () => {
    const rig = await rotationRig()
    await rig.start()
    const { serialNumber } = publishedIn(rig.path)
    plant(rig.path, await rig.candidate(oldCa, { notAfter: new Date(rig.clock.now() + hourMs) }))
    await look(rig)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
    expect(rig.calls).toEqual(['obtain'])
  })

  test('a newer one, of another process of ours, is taken over', async () => {
    const rig = await rotationRig({ keyReuse: 5 })
    await rig.start()
    plant(rig.path, await rig.candidate(oldCa, { notAfter: new Date(rig.clock.now() + 25 * hourMs) }))
    const before = snapshot(rig.path)
    await look(rig)
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.told('found')).toMatchObject([{ certificate: { serialNumber: publishedIn(rig.path).serialNumber } }])
    // Its key is not ours to keep.
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(rig.told('issued').at(-1)).toMatchObject({ keyReused: false })
  })

  test('mode is put right without the source', async () => {
    const rig = await rotationRig()
    await rig.start()
    chmodSync(join(rig.path, '..data', 'etcd-key'), 0o644)
    await look(rig)
    expect(statSync(join(rig.path, 'etcd-key')).mode & 0o777).toBe(0o400)
    expect(rig.calls).toEqual(['obtain'])
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'attributes-changed' })
  })

  test('nothing changed: nothing is written', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    await look(rig)
    expect(snapshot(rig.path)).toEqual(before)
    expect(rig.told('published')).toHaveLength(1)
  })
})

describe('a directory that cannot be used', () => {
  test('is told before anything is signed, and used as soon as it is there', async () => {
    const rig = await rotationRig()
    rmSync(rig.path, { recursive: true })
    await rig.start()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'directory-missing' }])
    expect(rig.calls).toEqual([])
    mkdirSync(rig.path)
    await rig.clock.pass(60_000)
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
    expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
    expect(rig.calls).toEqual(['obtain'])
  })

  test('after the signing: the certificate is kept for it, not signed again', async () => {
    const rig = await rotationRig()
    await rig.start()
    const away = `${rig.path}-away`
    rig.vault.before = () => renameSync(rig.path, away)
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'directory-missing' }])
    const { serialNumber } = rig.told('issued').at(-1) ?? {}
    await rig.clock.pass(60_000)
    expect(rig.told('renewal-failed').length).toBeGreaterThan(1)
    expect(readFileSync(join(away, 'etcd-cert'), 'utf8')).toBe(rig.loop.published()?.bundle.text.certificate)
    rig.vault.before = () => {}
    renameSync(away, rig.path)
    await rig.clock.pass(5 * 60_000)
    expect(rig.calls.filter((call) => call === 'obtain')).toHaveLength(2)
    expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  })

  test('with something foreign in the place of a file: that stays', async () => {
    const rig = await rotationRig()
    mkdirSync(join(rig.path, 'etcd-key'))
    await rig.start()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'directory-occupied' }])
    expect(statSync(join(rig.path, 'etcd-key')).isDirectory()).toBe(true)
    rmSync(join(rig.path, 'etcd-key'), { recursive: true })
    await rig.clock.pass(60_000)
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
  })

  test('while a good certificate is published: told, and over when it is back', async () => {
    const rig = await rotationRig()
    await rig.start()
    renameSync(rig.path, `${rig.path}-away`)
    await look(rig)
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'directory-missing', notAfterMs: expect.any(Number) }])
    renameSync(`${rig.path}-away`, rig.path)
    await look(rig)
    expect(rig.told('recovered')).toHaveLength(1)
    expect(rig.loop.failure()).toBeUndefined()
    expect(rig.calls).toEqual(['obtain'])
  })
})

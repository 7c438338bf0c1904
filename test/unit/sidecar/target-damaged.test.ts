/** What becomes of certificates in place whose public keys cannot be decoded. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withDamagedKey } from '../../support/damaged.ts'
import { publishedIn, snapshot } from './rotation-files.ts'
import { newCa, type Rig, rotationRig } from './rotation-rig.ts'

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

test('a CA certificate that nobody can use is taken out of etcd-ca, told, and stops no renewal', async () => {
  const rig = await rotationRig()
  await rig.start()
  const { 'etcd-ca': whole = '' } = snapshot(rig.path)
  tamper(rig.path, 'etcd-ca', withDamagedKey(newCa.certificatePem) + whole)
  await look(rig)
  expect(snapshot(rig.path)['etcd-ca']).toBe(whole)
  expect(rig.told('store-flaw')).toMatchObject([
    { reason: 'ca-unusable', detail: expect.stringContaining('etcd-ca: PEM certificate 1: its public key') },
  ])
  expect(rig.told('published').at(-1)).toMatchObject({ reason: 'ca-set-changed' })
  expect(rig.calls).toEqual(['obtain'])
  rig.loop.renewNow()
  await rig.clock.nextSleep()
  expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-requested' })
})

test('a leaf whose key cannot be decoded is unreadable: replaced by what was published, or by a new one', async () => {
  const rig = await rotationRig()
  await rig.start()
  const { serialNumber } = publishedIn(rig.path)
  const damage = (): void => {
    tamper(rig.path, 'etcd-cert', withDamagedKey(snapshot(rig.path)['etcd-cert'] ?? ''))
  }
  damage()
  await look(rig)
  expect(publishedIn(rig.path).serialNumber).toBe(serialNumber)
  await rig.stop()
  damage()
  await rig.restart()
  expect(rig.told('published')).toMatchObject([{ reason: 'malformed' }])
  expect(publishedIn(rig.path).serialNumber).not.toBe(serialNumber)
})

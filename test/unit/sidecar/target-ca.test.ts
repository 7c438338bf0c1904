import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { createCa } from '../../support/certificates.ts'
import { publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, rotationRig, startMs, x509 } from './rotation-rig.ts'

const etcdCa = await createCa({ commonName: 'etcd CA', notAfter: new Date(startMs + 100_000 * hourMs) })

describe('the set of CA certificates', () => {
  test('that gains an issuer is published with the same certificate', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    rig.vault.issuers = [oldCa, newCa]
    await rig.clock.pass(hourMs)
    const after = snapshot(rig.path)
    expect([after['etcd-cert'], after['etcd-key']]).toEqual([before['etcd-cert'], before['etcd-key']])
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA'])
    expect(rig.told('published').at(-1)).toMatchObject({
      reason: 'ca-set-changed',
      certificate: { ca: { count: 2, changedSinceStart: true } },
    })
    expect(rig.calls).toEqual(['obtain', 'poll'])
  })

  test('is looked at once an hour, and written only when it has changed', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    await rig.clock.pass(5 * hourMs)
    expect(rig.calls).toEqual(['obtain', ...Array<string>(5).fill('poll')])
    expect(snapshot(rig.path)).toEqual(before)
  })

  test('that cannot be read is told; the certificate and its schedule stay', async () => {
    const rig = await rotationRig()
    await rig.start()
    const before = snapshot(rig.path)
    rig.vault.failure = new AgentError('vault-sealed', 'sealed')
    await rig.clock.pass(hourMs)
    expect(rig.told('ca-refresh-failed')).toMatchObject([{ reason: 'vault-sealed' }])
    expect(rig.told('renewal-failed')).toEqual([])
    expect(snapshot(rig.path)).toEqual(before)
  })

  test('keeps a CA as long as a certificate in use needs it, and drops it afterwards', async () => {
    const rig = await rotationRig()
    await rig.start()
    // The old issuer is removed from the mount in the moment in which the new one signs.
    rig.vault.signer = newCa
    rig.vault.issuers = [newCa]
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(publishedIn(rig.path).leaf.issuer).toBe('CN=New CA')
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA'])
    // The certificate before this one is still its predecessor after the poll.
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA'])
    for (let count = 0; count < 2; count++) {
      rig.loop.renewNow()
      await rig.clock.nextSleep()
    }
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA'])
  })

  test('keeps an old CA over a restart', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.vault.signer = newCa
    rig.vault.issuers = [newCa]
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    await rig.restart()
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA'])
  })
})

describe('an issuer that is removed from the mount', () => {
  test('is a reason to renew', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.vault.issuers = [newCa]
    rig.vault.signer = newCa
    await rig.clock.pass(hourMs)
    expect(rig.told('issued').at(-1)).toMatchObject({ reason: 'issuer-removed' })
    expect(publishedIn(rig.path).leaf.issuer).toBe('CN=New CA')
    await rig.clock.pass(hourMs)
    expect(rig.calls.filter((call) => call === 'obtain')).toHaveLength(2)
  })

  test('is a reason that outlives a failure', async () => {
    const rig = await rotationRig()
    await rig.start()
    rig.vault.issuers = [newCa]
    rig.vault.before = () => {
      const isSecond = rig.calls.filter((call) => call === 'obtain').length === 2
      rig.vault.failure = isSecond ? new AgentError('vault-sealed', 'sealed') : undefined
    }
    rig.vault.signer = newCa
    await rig.clock.pass(hourMs + 60_000)
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'vault-sealed' }])
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'issuer-removed' })
  })
})

describe("the CA of etcd's servers", () => {
  test('is in the set, and followed when its file changes', async () => {
    const rig = await rotationRig()
    rig.etcd.ca = () => [x509(etcdCa)]
    await rig.start()
    expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA', 'CN=etcd CA'])
    rig.etcd.ca = () => [x509(etcdCa), x509(newCa)]
    rig.loop.recheck()
    await rig.clock.nextSleep()
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA', 'CN=etcd CA'])
    expect(rig.calls).toEqual(['obtain'])
  })

  const broken = (): never => {
    throw new AgentError('file-invalid', 'AGENT_ETCD_CA_FILE: there is no PEM certificate in it')
  }

  test('that is broken from the beginning: nothing is published without it, and one certificate is made in all', async () => {
    const rig = await rotationRig()
    rig.etcd.ca = broken
    await rig.start()
    expect(rig.told('renewal-failed')).toMatchObject([{ reason: 'file-invalid' }])
    expect(rig.told('published')).toEqual([])
    rig.etcd.ca = () => [x509(etcdCa)]
    rig.loop.recheck()
    await rig.clock.nextSleep()
    expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA', 'CN=etcd CA'])
    expect(rig.calls).toEqual(['obtain'])
  })

  test.each(['renewNow', 'restart'] as const)(
    'that breaks later is told and does not stop the rotation: %s',
    async (method) => {
      const rig = await rotationRig()
      rig.etcd.ca = () => [x509(etcdCa)]
      await rig.start()
      rig.etcd.ca = broken
      if (method === 'restart') await rig.restart()
      rig.loop.renewNow()
      await rig.clock.nextSleep()
      expect(rig.told('ca-refresh-failed').at(-1)).toMatchObject({ reason: 'file-invalid' })
      expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-requested' })
      expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA', 'CN=etcd CA'])
    },
  )
})

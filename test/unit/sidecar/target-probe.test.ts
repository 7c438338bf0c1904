/** The rotation with a probe: what etcd refuses is kept back, asked about again, and signed only once. */
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import type { Bundle } from '../../../agent/pki/bundle.ts'
import type { ProbeCode } from '../../../agent/sidecar/gate/probe/outcome.ts'
import { createCa } from '../../support/certificates.ts'
import { clear, filesIn, plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, type Rig, rotationRig, startMs, x509 } from './rotation-rig.ts'

const etcdCa = await createCa({ commonName: 'etcd CA', notAfter: new Date(startMs + 100_000 * hourMs) })
const holds = ({ ca }: Bundle, name: string): boolean => ca.some(({ subject }) => subject === `CN=${name}`)
const verifies = (bundle: Bundle) => (holds(bundle, 'etcd CA') ? 'accepted' : 'etcd-untrusted-server')
const obtained = ({ calls }: Rig): number => calls.filter((call) => call === 'obtain').length
const spacings = (rig: Rig, from: number): number[] =>
  rig.told('renewal-failed').map(({ retryAtMs }, index, all) => retryAtMs - (all[index - 1]?.retryAtMs ?? from))

describe('the first certificate of a node', () => {
  test('whose user does not exist yet: tried every few seconds with the one certificate, then published at once', async () => {
    const rig = await rotationRig({ probe: 'require' })
    rig.etcd.answer = () => 'etcd-unknown-user'
    await rig.start()
    await rig.clock.pass(120_000)
    expect(filesIn(rig.path)).toEqual([])
    const waits = spacings(rig, startMs)
    expect(waits.length).toBeGreaterThan(10)
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(500)
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(10_000)
    expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'etcd-unknown-user', notAfterMs: undefined })
    rig.etcd.answer = () => 'accepted'
    await rig.clock.pass(10_000)
    expect(publishedIn(rig.path).serialNumber).toBe(rig.etcd.asked[0])
    expect([obtained(rig), new Set(rig.etcd.asked).size, rig.told('issued').length]).toEqual([1, 1, 1])
    expect(rig.told('published')).toMatchObject([{ reason: 'never-published' }])
  })

  test('while nobody hears etcd: published, and said', async () => {
    const rig = await rotationRig({ probe: 'require' })
    rig.etcd.answer = () => 'etcd-unheard'
    await rig.start()
    expect(rig.told('published')).toHaveLength(1)
    expect(rig.told('probed')).toMatchObject([{ outcome: 'etcd-unheard', verdict: 'unverified' }])
  })

  test.each(['warn', 'require'] as const)(
    'published unproven (%s): etcd is asked again until it accepts it',
    async (probe) => {
      const rig = await rotationRig({ probe })
      rig.etcd.answer = () => 'etcd-unheard'
      await rig.start()
      const serialNumber = rig.etcd.asked.at(-1)
      await rig.clock.pass(16 * 60_000)
      expect(rig.etcd.asked).toEqual([serialNumber, serialNumber, serialNumber, serialNumber])
      rig.etcd.answer = () => 'accepted'
      await rig.clock.pass(hourMs)
      expect(rig.told('probed').at(-1)).toMatchObject({ outcome: 'accepted', verdict: 'publish' })
      expect([rig.etcd.asked.length, obtained(rig), rig.told('published').length]).toEqual([5, 1, 1])
      expect(rig.told('renewal-failed')).toEqual([])
    },
  )

  test.each<ProbeCode>(['etcd-unknown-user', 'etcd-rejected-certificate', 'etcd-untrusted-server', 'etcd-unheard'])(
    '`warn` publishes it whatever etcd says: %s',
    async (code) => {
      const rig = await rotationRig({ probe: 'warn' })
      rig.etcd.answer = () => code
      await rig.start()
      expect(rig.told('published')).toHaveLength(1)
      expect(rig.told('probed')).toMatchObject([{ outcome: code, verdict: 'unverified' }])
      expect(rig.told('renewal-failed')).toEqual([])
    },
  )
})

describe('a renewal', () => {
  async function due(answer: ProbeCode): Promise<Rig> {
    const rig = await rotationRig({ probe: 'require' })
    await rig.start()
    rig.etcd.answer = () => answer
    rig.clock.advance(Math.ceil((rig.loop.published()?.plan.renewAtMs ?? 0) - rig.clock.now()))
    await rig.clock.nextSleep()
    return rig
  }

  test.each<ProbeCode>(['etcd-unknown-user', 'etcd-permission-denied', 'etcd-untrusted-server'])(
    'that etcd refuses (%s) keeps the old one, and the new one for later',
    async (code) => {
      const rig = await due(code)
      const before = snapshot(rig.path)
      await rig.clock.pass(5 * hourMs)
      expect(snapshot(rig.path)).toEqual(before)
      expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: code })
      expect(obtained(rig)).toBe(2)
      rig.etcd.answer = () => 'accepted'
      await rig.clock.pass(hourMs)
      expect(publishedIn(rig.path).serialNumber).toBe(rig.etcd.asked.at(-1))
      expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-due' })
      expect(obtained(rig)).toBe(2)
    },
  )

  test('that nobody hears of waits until a quarter of the lifetime is left, and no longer', async () => {
    const rig = await due('etcd-unheard')
    const { notAfterMs } = rig.loop.published()?.validity ?? { notAfterMs: 0 }
    expect(rig.told('renewal-failed')).toHaveLength(1)
    await rig.clock.pass(notAfterMs - 6 * hourMs - rig.clock.now())
    expect(rig.told('published')).toHaveLength(1)
    await rig.clock.pass(hourMs + 60_000)
    expect(rig.told('published')).toHaveLength(2)
    expect(rig.told('probed').at(-1)).toMatchObject({ verdict: 'unverified' })
    expect(obtained(rig)).toBe(2)
  })

  test('that etcd rejects is signed anew once an hour: another issuer may sign it', async () => {
    const rig = await due('etcd-rejected-certificate')
    await rig.clock.pass(3.5 * hourMs)
    expect(obtained(rig)).toBeGreaterThanOrEqual(3)
    expect(obtained(rig)).toBeLessThanOrEqual(5)
  })

  test('that was refused is signed anew when it is due itself', async () => {
    const rig = await due('etcd-unknown-user')
    rig.clock.advance(14 * hourMs)
    await rig.clock.pass(hourMs)
    expect(obtained(rig)).toBe(2)
    await rig.clock.pass(2 * hourMs)
    expect(obtained(rig)).toBe(3)
  })

  test('that an operator asks for is a new certificate', async () => {
    const rig = await due('etcd-unknown-user')
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(obtained(rig)).toBe(3)
  })

  test('that is waiting for etcd needs nothing from Vault', async () => {
    const rig = await due('etcd-unknown-user')
    rig.vault.failure = new AgentError('vault-sealed', 'sealed')
    await rig.clock.pass(hourMs)
    expect(rig.told('renewal-failed').map(({ reason }) => reason)).not.toContain('vault-sealed')
    rig.etcd.answer = () => 'accepted'
    await rig.clock.pass(300_000)
    expect(rig.told('published')).toHaveLength(2)
  })
})

describe("the CA of etcd's servers", () => {
  test('that is lost from the configuration does not stop the rotation: the set in place is kept, and it is said', async () => {
    const rig = await rotationRig({ probe: 'require' })
    rig.etcd.ca = () => [x509(etcdCa)]
    rig.etcd.answer = verifies
    await rig.start()
    const first = publishedIn(rig.path)
    rig.etcd.ca = () => []
    await rig.restart()
    await rig.clock.pass(hourMs)
    expect(rig.told('ca-refresh-failed')).toMatchObject([{ reason: 'etcd-untrusted-server' }])
    expect(publishedIn(rig.path)).toEqual(first)
    rig.loop.renewNow()
    await rig.clock.nextSleep()
    expect(publishedIn(rig.path).serialNumber).not.toBe(first.serialNumber)
    expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA', 'CN=etcd CA'])
    expect(rig.told('renewal-failed')).toEqual([])
  })

  test('that was forgotten from the beginning: nothing is published; then the mount gets it', async () => {
    const rig = await rotationRig({ probe: 'require' })
    rig.etcd.answer = verifies
    await rig.start()
    await rig.clock.pass(60_000)
    expect(filesIn(rig.path)).toEqual([])
    expect(rig.told('renewal-failed').at(-1)).toMatchObject({ reason: 'etcd-untrusted-server' })
    rig.vault.issuers = [etcdCa]
    await rig.clock.pass(60_000)
    expect(publishedIn(rig.path).ca).toContain('CN=etcd CA')
    expect(obtained(rig)).toBe(1)
  })

  test('in a wrong file: the new set is refused, the rotation goes on', async () => {
    const rig = await rotationRig({ probe: 'require' })
    rig.etcd.ca = () => [x509(etcdCa)]
    rig.etcd.answer = verifies
    await rig.start()
    rig.etcd.ca = () => [x509(newCa)]
    rig.loop.recheck()
    await rig.clock.nextSleep()
    // What a look at the file alone adds takes nothing away.
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA', 'CN=etcd CA'])
    await rig.clock.pass(hourMs)
    expect(publishedIn(rig.path).ca).toContain('CN=etcd CA')
    expect(rig.told('ca-refresh-failed').at(-1)).toMatchObject({ reason: 'etcd-untrusted-server' })
    await rig.clock.pass(24 * hourMs)
    expect(rig.told('published').at(-1)).toMatchObject({ reason: 'renewal-due' })
    expect(rig.told('renewal-failed')).toEqual([])
  })

  test('a new issuer while nobody hears etcd is looked at again within minutes', async () => {
    const rig = await rotationRig({ probe: 'require' })
    await rig.start()
    rig.etcd.answer = () => 'etcd-unheard'
    rig.vault.issuers = [oldCa, newCa]
    await rig.clock.pass(hourMs)
    const looks = rig.calls.length
    expect(rig.told('ca-refresh-failed').at(-1)).toMatchObject({ reason: 'etcd-unheard' })
    await rig.clock.pass(330_000)
    expect(rig.calls.length).toBeGreaterThan(looks)
  })
})

describe('the cached and the static certificate', () => {
  test.each([
    ['etcd-unheard', true],
    ['accepted', true],
    ['etcd-unknown-user', false],
  ] as const)('etcd says %s of the cached one: used %s', async (code, isUsed) => {
    const rig = await rotationRig({ probe: 'require', withState: true })
    await rig.start()
    const { serialNumber } = publishedIn(rig.path)
    await rig.stop()
    clear(rig.path)
    rig.etcd.answer = ({ leaf }) => (leaf.serialNumber === serialNumber ? code : 'accepted')
    await rig.restart()
    expect(publishedIn(rig.path).serialNumber === serialNumber).toBe(isUsed)
    expect(rig.told('fallback-failed')).toHaveLength(isUsed ? 0 : 1)
  })

  test('a static one that etcd accepts serves until the user of the new one exists', async () => {
    const rig = await rotationRig({ probe: 'require', withBootstrap: true })
    plant(rig.bootstrapPath, await rig.candidate(newCa, { commonName: 'calico-static' }), newCa)
    const answers = { 'CN=calico-static': 'accepted', 'CN=calico-node:node1': 'etcd-unknown-user' } as const
    rig.etcd.answer = ({ leaf }) => answers[leaf.subject as keyof typeof answers]
    await rig.start()
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-static')
    rig.etcd.answer = () => 'accepted'
    await rig.clock.pass(300_000)
    expect(publishedIn(rig.path).leaf.subject).toBe('CN=calico-node:node1')
    expect(obtained(rig)).toBe(1)
  })
})

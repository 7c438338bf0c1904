import type { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  caUses,
  earliestExpiryMs,
  isSameCaSet,
  type LiveCertificate,
  neededCa,
  planCaSet,
  workingTime,
} from '../../../agent/pki/ca-set.ts'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { x509 } from './parsed.ts'

const now = Date.now()
const hour = 3_600_000
const at = (ms: number): Date => new Date(now + ms)
let root: TestCa
let oldRoot: TestCa
let etcdCa: TestCa
let expired: TestCa

beforeAll(async () => {
  root = await createCa({ commonName: 'Root', notAfter: at(100 * hour) })
  oldRoot = await createCa({ commonName: 'Old root', notAfter: at(50 * hour) })
  etcdCa = await createCa({ commonName: 'etcd', notAfter: at(75 * hour) })
  expired = await createCa({ commonName: 'Expired', notBefore: at(-3 * hour), notAfter: at(-hour) })
})

const subjects = (certificates: readonly X509Certificate[]): string[] => certificates.map(({ subject }) => subject)

async function live(
  issuer: TestCa,
  ca: readonly TestCa[],
  options: { intermediates?: readonly TestCa[]; notBefore?: Date; notAfter?: Date } = {},
): Promise<LiveCertificate> {
  const { intermediates = [], ...dates } = options
  return { leaf: x509(await issuer.issue(dates)), intermediates: intermediates.map(x509), ca: ca.map(x509) }
}

describe('the CA set', () => {
  test("is the mount's issuers and etcd's own CA, the longest-lived first", () => {
    expect(subjects(planCaSet([x509(oldRoot), x509(root)], [x509(etcdCa)], [], now))).toEqual([
      'CN=Root',
      'CN=etcd',
      'CN=Old root',
    ])
  })

  test('keeps a CA that a live certificate chains to, after it has left the mount', async () => {
    const inUse = await live(oldRoot, [oldRoot, root])
    expect(subjects(planCaSet([x509(root)], [], [inUse], now))).toEqual(['CN=Root', 'CN=Old root'])
  })

  test('drops it once the last such certificate has expired', async () => {
    const inUse = await live(oldRoot, [oldRoot, root], { notAfter: at(hour) })
    const plan = (ms: number): string[] => subjects(planCaSet([x509(root)], [], [inUse], now + ms))
    expect(plan(hour - 1000)).toHaveLength(2)
    expect(plan(hour + 1000)).toEqual(['CN=Root'])
  })

  test('does not keep what no live certificate needs', async () => {
    const inUse = await live(root, [oldRoot, root, etcdCa])
    expect(subjects(planCaSet([x509(root)], [], [inUse], now))).toEqual(['CN=Root'])
  })

  test('leaves out what has expired, wherever it comes from', async () => {
    const notBefore = at(-2 * hour)
    const inUse = await live(expired, [expired], { notBefore })
    expect(subjects(planCaSet([x509(expired), x509(root)], [x509(expired)], [inUse], now))).toEqual(['CN=Root'])
    expect(planCaSet([x509(expired)], [], [], now)).toEqual([])
  })

  test('holds each certificate once, and both of two with the same key', async () => {
    const again = await createCa({ commonName: 'Root', sameKeyAs: root, notAfter: at(80 * hour) })
    expect(planCaSet([x509(root), x509(root)], [x509(root)], [], now)).toHaveLength(1)
    expect(planCaSet([x509(root), x509(again)], [], [], now)).toHaveLength(2)
  })

  test('is the same, in the same order, however its parts are ordered', async () => {
    const sameExpiry = await Promise.all(
      ['a', 'b', 'c'].map((commonName) => createCa({ commonName, notAfter: at(hour) })),
    )
    const all = [root, oldRoot, etcdCa, ...sameExpiry].map(x509)
    const expected = subjects(planCaSet(all, [], [], now))
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), fc.nat(all.length), (shuffled, split) => {
        expect(subjects(planCaSet(shuffled.slice(0, split), shuffled.slice(split), [], now))).toEqual(expected)
      }),
    )
  })
})

describe('what a live certificate needs', () => {
  test('is the whole path of authorities in its set, up to the root', async () => {
    const upper = await createCa({ commonName: 'Upper', issuer: root })
    const middle = await createCa({ commonName: 'Middle', issuer: upper })
    const lower = await createCa({ commonName: 'Lower', issuer: middle })
    const inUse = await live(lower, [etcdCa, root, upper, middle, lower])
    expect(subjects(neededCa(inUse, now))).toEqual(['CN=Lower', 'CN=Middle', 'CN=Upper', 'CN=Root'])
  })

  test('is the root alone where the intermediates come with the certificate', async () => {
    const upper = await createCa({ commonName: 'Upper', issuer: root })
    const inUse = await live(upper, [etcdCa, root], { intermediates: [upper] })
    expect(subjects(neededCa(inUse, now))).toEqual(['CN=Root'])
  })

  test('is nothing where it chains to nothing, or has expired', async () => {
    expect(neededCa(await live(oldRoot, [root]), now)).toEqual([])
    const dates = { notBefore: at(-2 * hour), notAfter: at(-hour) }
    expect(neededCa(await live(root, [root], dates), now)).toEqual([])
  })

  test('ends for authorities that have signed each other', async () => {
    const a = await createCa({ commonName: 'A' })
    const b = await createCa({ commonName: 'B', issuer: a })
    const aByB = await createCa({ commonName: 'A', issuer: b, sameKeyAs: a })
    expect(subjects(neededCa(await live(b, [a, b, aByB]), now))).toEqual(['CN=B', 'CN=A', 'CN=A'])
  })
})

test('two sets are the same whatever their order', () => {
  const [one, two] = [x509(root), x509(oldRoot)]
  expect(isSameCaSet([one, two], [two, one])).toBe(true)
  expect(isSameCaSet([one], [one, two])).toBe(false)
  expect(isSameCaSet([one, two], [one])).toBe(false)
  expect(isSameCaSet([one], [two])).toBe(false)
  expect(isSameCaSet([], [])).toBe(true)
})

describe('who needs which CA', () => {
  test('the last certificate that chains to it counts; a CA that nobody needs is in use until 0', async () => {
    const [early, late] = [at(hour), at(2 * hour)]
    const all = [root, oldRoot, etcdCa]
    const inUse = [
      await live(oldRoot, all, { notAfter: early }),
      await live(oldRoot, all, { notAfter: late }),
      await live(root, all, { notBefore: at(-2 * hour), notAfter: at(-hour) }),
    ]
    const uses = caUses(all.map(x509), inUse, now)
    const seconds = Math.floor(late.getTime() / 1000) * 1000
    expect(uses.map(({ subject, inUseUntilMs }) => [subject, inUseUntilMs])).toEqual([
      ['Root', 0],
      ['Old root', seconds],
      ['etcd', 0],
    ])
    expect(x509(root).fingerprint256.replaceAll(':', '').toLowerCase()).toContain(uses[0]?.fingerprint)
  })

  test('what stands above an intermediate is needed with it', async () => {
    const intermediate = await createCa({ commonName: 'x'.repeat(80), issuer: root })
    const uses = caUses([x509(root), x509(intermediate)], [await live(intermediate, [root, intermediate])], now)
    expect(uses.map(({ inUseUntilMs }) => inUseUntilMs > now)).toEqual([true, true])
    expect(uses[1]?.subject).toBe('x'.repeat(64))
  })
})

test('the earliest expiry is that of the CA that ends first', () => {
  const seconds = Math.floor(oldRoot.notAfter.getTime() / 1000) * 1000
  expect(earliestExpiryMs([x509(root), x509(oldRoot), x509(etcdCa)])).toBe(seconds)
})

describe('workingTime', () => {
  test.each([
    ['the leaf, where its CA lives longer', 48, 24],
    ['the CA, where that ends before the leaf', 2, 2],
  ])('ends with %s', async (_what, caHours, expectedHours) => {
    const end = (hours: number): Date => new Date(Math.floor(now / 1000) * 1000 + hours * hour)
    const ca = await createCa({ notAfter: end(caHours) })
    const leaf = await ca.issue({ commonName: 'calico-node:node1', client: true, notAfter: end(24) })
    const published = { leaf: x509(leaf), intermediates: [], ca: [x509(ca)] }
    expect(workingTime(published, now).notAfterMs).toBe(end(expectedHours).getTime())
  })
})

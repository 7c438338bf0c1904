import type { X509Certificate } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { type CaFinding, type CaView, caPhases, findCaPhase } from '../../../agent/pki/ca-phase.ts'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { x509 } from './parsed.ts'

const now = Date.now()
const hour = 3_600_000
const at = (ms: number): Date => new Date(now + ms)

let old: TestCa
let fresh: TestCa
let etcdCa: TestCa
let expired: TestCa
let intermediate: TestCa
const leaves = new Map<TestCa, X509Certificate>()

beforeAll(async () => {
  old = await createCa({ commonName: 'old', notBefore: at(-100 * hour) })
  fresh = await createCa({ commonName: 'new', notBefore: at(-hour) })
  etcdCa = await createCa({ commonName: 'etcd' })
  expired = await createCa({ commonName: 'expired', notBefore: at(-3 * hour), notAfter: at(-hour) })
  intermediate = await createCa({ commonName: 'intermediate', issuer: old, notBefore: at(-50 * hour) })
  for (const ca of [old, fresh, intermediate]) leaves.set(ca, x509(await ca.issue({})))
})

interface Node {
  readonly issuers: readonly TestCa[]
  readonly signs: TestCa
  readonly leafOf: TestCa
  readonly ca: readonly TestCa[]
  readonly chain?: readonly TestCa[]
}

function find({ issuers, signs, leafOf, ca, chain = [] }: Node): { phase: CaFinding['phase']; concerns: string[] } {
  const view: CaView = {
    issuers: issuers.map(x509),
    defaultIssuer: x509(signs),
    leaf: leaves.get(leafOf) as X509Certificate,
    intermediates: chain.map(x509),
    ca: ca.map(x509),
    etcdCa: [x509(etcdCa)],
  }
  const { phase, concerns } = findCaPhase(view, now)
  return { phase, concerns: concerns.map(({ subject }) => subject.replace('CN=', '')) }
}

test('the phases of a rotation, in their order', () => {
  const both = (): readonly TestCa[] => [old, fresh]
  const walk: readonly (readonly [CaFinding['phase'], string[], Node])[] = [
    ['steady', [], { issuers: [old], signs: old, leafOf: old, ca: [old, etcdCa] }],
    ['spreading', ['new'], { issuers: both(), signs: old, leafOf: old, ca: [old, etcdCa] }],
    ['overlap', ['new'], { issuers: both(), signs: old, leafOf: old, ca: [...both(), etcdCa] }],
    ['switched', ['old'], { issuers: both(), signs: fresh, leafOf: old, ca: both() }],
    ['retiring', ['old'], { issuers: both(), signs: fresh, leafOf: fresh, ca: both() }],
    ['leaving', ['old'], { issuers: [fresh], signs: fresh, leafOf: fresh, ca: [...both(), etcdCa] }],
    ['steady', [], { issuers: [fresh], signs: fresh, leafOf: fresh, ca: [fresh, etcdCa] }],
  ]
  for (const [phase, concerns, node] of walk) expect(find(node)).toEqual({ phase, concerns })
})

test('the old issuer was deleted too early: the certificate is still of it', () => {
  expect(find({ issuers: [fresh], signs: fresh, leafOf: old, ca: [old, fresh] })).toEqual({
    phase: 'switched',
    concerns: [],
  })
})

test('switched before this node had the new CA: first it must get it', () => {
  expect(find({ issuers: [old, fresh], signs: fresh, leafOf: old, ca: [old] }).phase).toBe('spreading')
})

test('an intermediate and its root are one line, also where the leaf brings its chain', () => {
  const issuers = [old, intermediate]
  expect(find({ issuers, signs: intermediate, leafOf: intermediate, ca: issuers }).phase).toBe('steady')
  expect(find({ issuers, signs: intermediate, leafOf: intermediate, ca: issuers, chain: [intermediate] }).phase).toBe(
    'steady',
  )
  expect(
    find({ issuers: [...issuers, fresh], signs: intermediate, leafOf: intermediate, ca: [...issuers, fresh] }),
  ).toEqual({
    phase: 'overlap',
    concerns: ['new'],
  })
})

test('what has expired is in no set and counts for nothing', () => {
  expect(find({ issuers: [old, expired], signs: old, leafOf: old, ca: [old] }).phase).toBe('steady')
  expect(find({ issuers: [old], signs: old, leafOf: old, ca: [old, expired] }).phase).toBe('steady')
})

test('every phase says what is so and what to do next', () => {
  for (const { summary, advice } of Object.values(caPhases)) {
    expect(summary).toMatch(/^\w.*[^.]$/)
    expect(advice).toMatch(/^[A-Z].*\.$/)
  }
})

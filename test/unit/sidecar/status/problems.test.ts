import { expect, test } from 'vitest'
import type { TargetFailure } from '../../../../agent/sidecar/observe/events.ts'
import { conditionOf, countConditions, findProblems, sortTargets } from '../../../../agent/sidecar/status/problems.ts'
import type { TargetStatus } from '../../../../agent/sidecar/status/status.ts'

const target = (component: string, change: Partial<TargetStatus> = {}): TargetStatus => ({
  component,
  directory: `/${component}`,
  state: 'good',
  problem: undefined,
  certificate: undefined,
  ca: [],
  happenings: [],
  failure: undefined,
  unproven: undefined,
  budget: undefined,
  notTold: undefined,
  ...change,
})
const failure: TargetFailure = {
  atMs: 2000,
  reason: 'vault-sealed',
  detail: 'POST https://vault:8200: 503',
  firstAtMs: 1000,
  retryAtMs: 5000,
}

test('a certificate that works but is not renewed is not simply good', () => {
  expect(conditionOf({ state: 'good', failure: undefined })).toBe('good')
  expect(conditionOf({ state: 'good', failure })).toBe('failing')
  expect(conditionOf({ state: 'expired', failure })).toBe('expired')
  const targets = [target('a'), target('b', { failure }), target('c', { state: 'missing' }), target('d')]
  expect(sortTargets(targets).map(({ component }) => component)).toEqual(['c', 'b', 'a', 'd'])
  expect(countConditions(targets)).toEqual([
    ['missing', 1],
    ['failing', 1],
    ['good', 2],
  ])
})

test('among equals, the certificate that ends first comes first', () => {
  const certificate = (notAfterMs: number): TargetStatus['certificate'] => ({
    commonName: '',
    serialNumber: '',
    issuer: '',
    notBeforeMs: 0,
    renewAtMs: 0,
    chain: [],
    notAfterMs,
  })
  const targets = [target('a', { certificate: certificate(2) }), target('b', { certificate: certificate(1) })]
  expect(sortTargets(targets).map(({ component }) => component)).toEqual(['b', 'a'])
})

test('when all is well there is no problem', () => {
  const vault = { answered: { atMs: 1, operation: 'sign' }, failure: undefined } as const
  expect(findProblems({ targets: [target('a')], vault })).toEqual([])
  expect(findProblems({ targets: [target('a')], vault: undefined })).toEqual([])
})

test('one cause is one problem, whomever it concerns, with the latest of what was said', () => {
  const later: TargetFailure = { ...failure, atMs: 3000, firstAtMs: 500, retryAtMs: 4000, detail: 'later' }
  const vault = { answered: undefined, failure: { reason: 'vault-sealed', atMs: 3000, firstAtMs: 500 } } as const
  const targets = [target('a', { failure }), target('b', { failure: later })]
  expect(findProblems({ targets, vault })).toEqual([
    {
      reason: 'vault-sealed',
      components: ['a', 'b'],
      detail: 'later',
      atMs: 3000,
      firstAtMs: 500,
      retryAtMs: 4000,
    },
  ])
})

test('a Vault that fails is a problem before any renewal is due', () => {
  const vault = { answered: undefined, failure: { reason: 'vault-unreachable', atMs: 2, firstAtMs: 1 } } as const
  expect(findProblems({ targets: [target('a')], vault })).toMatchObject([
    { reason: 'vault-unreachable', components: [], firstAtMs: 1, atMs: 2 },
  ])
})

test('what etcd has not accepted, and consumers that do not know, are problems', () => {
  const unproven = { reason: 'etcd-unheard', detail: 'no answer' } as const
  const notTold = { reason: 'on-publish-failed', detail: 'no such process', retryAtMs: 9 } as const
  const reasonsOf = (change: Partial<TargetStatus>): string[] =>
    findProblems({ targets: [target('a', change)], vault: undefined }).map(({ reason }) => reason)
  expect(reasonsOf({ failure, unproven, notTold })).toEqual(['vault-sealed', 'etcd-unheard', 'on-publish-failed'])
  // What happened before is over.
  const past = { atMs: 2, what: 'unproven', ...unproven } as const
  expect(reasonsOf({ happenings: [past, { atMs: 1, what: 'renewal-failed', reason: 'vault-sealed' }] })).toEqual([])
})

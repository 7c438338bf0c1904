import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { readClaims, type ServiceAccountClaims } from '../../../agent/vault/credentials.ts'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwtOf = (payload: unknown): string => `${encode({ alg: 'RS256' })}.${encode(payload)}.c2lnbmF0dXJl`

test('the claims of a pod-bound service-account token', () => {
  const payload = {
    aud: ['vault'],
    sub: 'system:serviceaccount:kube-system:calico-node',
    exp: 1_795_221_636,
    'kubernetes.io': {
      namespace: 'kube-system',
      node: { name: 'node1', uid: '43adfa72-0000-4000-8000-000000000000' },
      pod: { name: 'calico-node-1' },
    },
  }
  expect(claimsOf(jwtOf(payload), '/token')).toEqual({
    expiresAtMs: 1_795_221_636_000,
    nodeName: 'node1',
    nodeUid: '43adfa72-0000-4000-8000-000000000000',
    podName: 'calico-node-1',
    serviceAccount: 'kube-system:calico-node',
    audiences: ['vault'],
  })
})

test.each([[{}], [{ exp: '1795221636' }], [{ exp: null }], [{ exp: {} }], [{ exp: 1e300 }], [{ exp: -1e300 }]])(
  'no moment in %j',
  (payload) => {
    expect(claimsOf(jwtOf(payload), '/token').expiresAtMs).toBeUndefined()
  },
)

test.each([
  [undefined],
  [null],
  ['node1'],
  [[]],
  [{ node: null }],
  [{ node: 'node1' }],
  [{ node: { uid: 7 } }],
  [{ node: { uid: '' } }],
  [{ node: { uid: 'a b' } }],
  [{ node: { uid: '../x' } }],
])('no node in %j', (claim) => {
  expect(claimsOf(jwtOf({ 'kubernetes.io': claim }), '/token').nodeUid).toBeUndefined()
})

test.each(['', 'a', 'a.b', 'a.b.c', 'a..c', `.${encode({})}.c`, `${encode({})}.${encode({})}.`, `a.${encode({})}.b.c`])(
  'no JWT: %j',
  (text) => {
    expect(() => claimsOf(text, '/var/token')).toThrow(
      expect.objectContaining({ code: 'credential-invalid', message: '/var/token does not hold a JWT' }),
    )
  },
)

test.each([[[]], ['text'], [7], [null]])('no JWT: its payload is %j', (payload) => {
  expect(() => claimsOf(jwtOf(payload), '/token')).toThrow(AgentError)
})

test('property: any text is read, or refused without repeating it', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.base64String(), { minLength: 3, maxLength: 3 }).map((parts) => parts.join('.')),
    fc.jsonValue().map(jwtOf),
    fc.record({ exp: fc.jsonValue(), 'kubernetes.io': fc.jsonValue() }).map(jwtOf),
  )
  fc.assert(
    fc.property(anything, (text) => {
      expect(outcome(text)).toMatch(/^(read|refused) .*Z [\w.-]+$/)
    }),
    { numRuns: 500 },
  )
})

function outcome(text: string): string {
  try {
    const { expiresAtMs = 0, nodeUid = 'none' } = claimsOf(text, '/token')
    return `read ${new Date(expiresAtMs).toISOString()} ${nodeUid}`
  } catch (error) {
    if (!(error instanceof AgentError) || error.cause !== undefined) throw error
    return error.message === '/token does not hold a JWT' ? 'refused Z ok' : error.message
  }
}

function claimsOf(text: string, file: string): ServiceAccountClaims {
  return readClaims(new Secret(text), file)
}

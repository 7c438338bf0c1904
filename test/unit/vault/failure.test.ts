import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { reasons } from '../../../agent/core/reason-catalog.ts'
import {
  type Answer,
  errorTexts,
  retryAfterMs,
  translateAnswer,
  translateConnectionError,
} from '../../../agent/vault/failure.ts'
import type { Operation } from '../../../agent/vault/vault-event.ts'

function systemError(code: string, message = `connect ${code}`): Error {
  return Object.assign(new Error(message), { code })
}

function translated(error: unknown): AgentError {
  const result = translateConnectionError(error, 'GET /v1/x', 100)
  if (!(result instanceof AgentError)) throw new Error('it counts as a bug', { cause: result })
  return result
}

describe('an error of the connection', () => {
  test.each([
    ['vault-name-unresolved', ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_FAIL', 'EAI_MEMORY']],
    ['vault-unreachable', ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM', 'EMFILE', 'ENOBUFS']],
    ['vault-timeout', ['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_ABORTED']],
    ['vault-connection-lost', ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_DESTROYED', 'UND_ERR_INFO']],
    ['vault-answer-too-large', ['UND_ERR_RES_EXCEEDED_MAX_SIZE']],
    ['vault-bad-answer', ['UND_ERR_HEADERS_OVERFLOW', 'HPE_INVALID_CONSTANT', 'ERR_ASSERTION']],
    [
      'vault-tls',
      [
        'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
        'ERR_SSL_WRONG_VERSION_NUMBER',
        'ERR_TLS_CERT_ALTNAME_INVALID',
        'CERT_HAS_EXPIRED',
        'DEPTH_ZERO_SELF_SIGNED_CERT',
        'SELF_SIGNED_CERT_IN_CHAIN',
        'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
        'INVALID_PURPOSE',
        'ERROR_IN_CERT_NOT_AFTER_FIELD',
        'HOSTNAME_MISMATCH',
        'OUT_OF_MEM',
        'PATH_LENGTH_EXCEEDED',
        // A key that is too short, for one.
        'UNSPECIFIED',
        'EPROTO',
      ],
    ],
  ])('is %s', (code, systemCodes) => {
    for (const systemCode of systemCodes) {
      const error = translated(systemError(systemCode))
      expect([systemCode, error.code]).toEqual([systemCode, code])
      expect(error.message.startsWith('GET /v1/x: ')).toBe(true)
      expect(error.retry).toBe('outage')
    }
  })

  test('on several addresses is told by the first of them', () => {
    const both = new AggregateError([
      systemError('ECONNREFUSED', 'connect ECONNREFUSED ::1:1'),
      systemError('ECONNREFUSED'),
    ])
    expect(translated(both).message).toBe('GET /v1/x: connect ECONNREFUSED ::1:1')
  })

  test('on several addresses, none of them named', () => {
    const none = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    expect(translated(none).message).toBe('GET /v1/x: ECONNREFUSED')
  })

  test('that was translated before stays as it is', () => {
    const error = new AgentError('file-invalid', 'VAULT_CACERT')
    expect(translateConnectionError(error, 'x', 1)).toBe(error)
  })

  test.each([
    new TypeError('a bug'),
    systemError('UND_ERR_INVALID_ARG'),
    systemError('ERR_INVALID_ARG_TYPE'),
    'text',
    undefined,
  ])('that nothing knows is a bug and stays as it is: %s', (bug) => {
    expect(translateConnectionError(bug, 'x', 1)).toBe(bug)
  })
})

const answer = (status: number, text?: string, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers,
  body: text === undefined ? undefined : { errors: [text] },
})

describe('an answer that says no', () => {
  test.each<[Operation, number, string | undefined, string]>([
    ['login', 400, 'error validating token: invalid audience (aud) claim', 'vault-login-refused'],
    ['login', 403, 'permission denied', 'vault-login-refused'],
    ['login', 404, undefined, 'vault-login-refused'],
    ['login', 500, 'invalid secret id', 'vault-login-refused'],
    ['login', 500, 'missing name in alias', 'vault-server-error'],
    ['login', 503, 'Vault is sealed', 'vault-sealed'],
    ['login', 429, 'rate limit quota exceeded', 'vault-rate-limited'],
    ['sign', 400, 'common name x not allowed by this role', 'vault-request-refused'],
    ['sign', 400, "cannot satisfy request: notBefore before signer's notBefore", 'issuer-too-young'],
    ['sign', 401, undefined, 'vault-denied'],
    ['sign', 403, 'permission denied', 'vault-denied'],
    ['sign', 404, 'no handler for route', 'vault-not-found'],
    ['sign', 405, 'unsupported operation', 'vault-request-refused'],
    ['sign', 412, undefined, 'vault-standby'],
    ['sign', 429, 'rate limit quota exceeded', 'vault-rate-limited'],
    ['sign', 500, 'invalid role', 'vault-server-error'],
    ['sign', 501, undefined, 'vault-sealed'],
    ['sign', 502, undefined, 'vault-server-error'],
    ['sign', 503, 'Vault is sealed', 'vault-sealed'],
    ['sign', 503, undefined, 'vault-standby'],
    ['login', 500, 'local node not active but active cluster node not found', 'vault-standby'],
    ['health', 429, undefined, 'vault-standby'],
    ['health', 472, undefined, 'vault-standby'],
    ['sign', 301, undefined, 'vault-redirect'],
    ['sign', 307, undefined, 'vault-redirect'],
    ['sign', 202, undefined, 'vault-bad-answer'],
  ])('to %s with %d %s is %s', (operation, status, text, code) => {
    const error = translateAnswer(answer(status, text), operation, 'POST /v1/x')
    expect(error.code).toBe(code)
    expect(error.message).toBe(`POST /v1/x: ${status}${text === undefined ? '' : ` ${text}`}`)
  })

  test('because inline authentication failed is a refused login', () => {
    const error = translateAnswer(answer(400, 'x', { 'x-vault-inline-auth-failed': 'true' }), 'sign', 'x')
    expect(error.code).toBe('vault-login-refused')
  })

  test('property: whatever comes is an AgentError with a known code and one short printable line', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 201, max: 999 }),
        fc.oneof(fc.jsonValue(), fc.record({ errors: fc.array(fc.oneof(fc.string(), fc.jsonValue())) }), fc.string()),
        fc.constantFrom<Operation[]>('login', 'sign', 'issuers', 'issuer', 'token', 'health'),
        fc.dictionary(fc.constantFrom('retry-after', 'date', 'location'), fc.oneof(fc.string(), fc.array(fc.string()))),
        (status, body, operation, headers) => {
          const error = translateAnswer({ status, headers, body }, operation, 'GET /v1/x')
          expect(Object.hasOwn(reasons, error.code)).toBe(true)
          expect(error.message).toMatch(/^GET \/v1\/x: \d{3}( [^\p{Cc}]{1,500})?$/u)
          expect(error.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})

test.each([{ toString: 1, valueOf: 1 }, 'x\u001b[31m', null])(
  'a deleted version may be numbered by anything: %j',
  (version) => {
    const body = { data: { metadata: { version, destroyed: true } } }
    expect(translateAnswer({ status: 404, headers: {}, body }, 'secret', 'x').message).toBe(
      'x: 404 version unknown is destroyed',
    )
  },
)

test.each([
  'hvs.CAESIJlU02LQZq-CANARY',
  'hvb.AAAAAQKjCANARY_x-y.z',
  's.CANARYCANARYCANARYCANARY',
  'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJDQU5BUlki.CANARY',
  '-----BEGIN EC PRIVATE KEY-----\nCANARY\n-----END EC PRIVATE KEY-----',
  '-----BEGIN PRIVATE KEY-----\nCANARY',
])('a secret in the words of the server is left out: %j', (secret) => {
  const text = errorTexts({ errors: [`token "${secret}" of role calico-node.kube-system`] })
  expect(text).toMatch(/^token "\[redacted\]/)
  expect(text).not.toContain('CANARY')
})

test('words that only look a little like a secret stay', () => {
  const text =
    'role "s.short" of pki/sign/calico-node at vault-0.vault-internal.vault.svc.cluster.local:8200 not allowed'
  expect(errorTexts({ errors: [text] })).toBe(text)
})

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['120', 120_000],
  ['9'.repeat(400), 86_400_000],
  ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400_000],
  ['Fri, 01 Jan 275760 00:00:00 GMT', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['2033', 2_033_000],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j', (header, expected) => {
  expect(retryAfterMs(header, Date.parse('1994-11-06T08:49:00Z'))).toBe(expected)
})

test('an issuer that is too young is asked again once it can have grown old enough', () => {
  const { retry, retryAfterMs: waitMs } = translateAnswer(
    answer(400, "notBefore before signer's notBefore"),
    'sign',
    'x',
  )
  expect([retry, waitMs]).toEqual(['outage', 30_000])
})

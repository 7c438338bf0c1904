import { describe, expect, test } from 'vitest'
import { NotEtcdError } from '../../../../../agent/sidecar/gate/probe/connection.ts'
import { translateError, translateStatus } from '../../../../../agent/sidecar/gate/probe/probe.ts'

const coded = (code: string, message = 'what the system says'): Error => Object.assign(new Error(message), { code })

describe('errors', () => {
  test.each([
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'etcd-rejected-certificate'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'etcd-rejected-certificate'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'etcd-rejected-certificate'],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', 'etcd-rejected-certificate'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'etcd-rejected-certificate'],
    ['ERR_SSL_TLSV1_ALERT_ACCESS_DENIED', 'etcd-rejected-certificate'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'etcd-untrusted-server'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'etcd-untrusted-server'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'etcd-untrusted-server'],
    ['CERT_HAS_EXPIRED', 'etcd-untrusted-server'],
    ['INVALID_PURPOSE', 'etcd-untrusted-server'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'etcd-untrusted-server'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'etcd-bad-answer'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'etcd-bad-answer'],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'etcd-bad-answer'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'etcd-bad-answer'],
    ['ERR_HTTP2_ERROR', 'etcd-bad-answer'],
    ['EPROTO', 'etcd-bad-answer'],
    ['ECONNREFUSED', 'etcd-unheard'],
    ['ECONNRESET', 'etcd-unheard'],
    ['ENOTFOUND', 'etcd-unheard'],
    ['EHOSTUNREACH', 'etcd-unheard'],
    ['EMFILE', 'etcd-unheard'],
  ] as const)('%s: %s', (code, reason) => {
    expect(translateError(coded(code))).toEqual({ code: reason, detail: `what the system says (${code})` })
  })

  test('several addresses: the first speaks', () => {
    const error = new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')])
    expect(translateError(error)).toMatchObject({ code: 'etcd-unheard', detail: expect.stringContaining('REFUSED') })
  })

  test("OpenSSL's own words, without addresses; not Node's hint at an option; one line", () => {
    const alert = Object.assign(coded('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', '40BDA1:error:0A000418'), {
      reason: 'unknown ca',
    })
    expect(translateError(alert).detail).toBe('unknown ca (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA)')
    const hinted = coded('CERT_X', 'not signed; if the root CA is installed locally, try')
    expect(translateError(hinted).detail).toBe('not signed (CERT_X)')
    expect(translateError(new NotEtcdError(`a\r\nb\u001b[31m${'c'.repeat(999)}`)).detail).toMatch(
      /^a b \[31mc{200,295}$/,
    )
  })

  test('what is malformed or no etcd', () => {
    expect(translateError(new NotEtcdError('no HTTP/2'))).toEqual({ code: 'etcd-bad-answer', detail: 'no HTTP/2' })
    expect(translateError(new RangeError('too long')).code).toBe('etcd-bad-answer')
  })
})

test.each([
  [3, 'etcdserver: user name is empty', 'etcd-ignores-certificate'],
  [16, 'etcdserver: invalid auth token', 'etcd-ignores-certificate'],
  [12, 'unknown service etcdserverpb.KV', 'etcd-bad-answer'],
  // It passes: somebody changes users right now.
  [3, 'etcdserver: revision of auth store is old', 'etcd-unheard'],
  [14, 'etcdserver: no leader', 'etcd-unheard'],
  [8, 'etcdserver: too many requests', 'etcd-unheard'],
  [13, 'stream terminated', 'etcd-unheard'],
])('status %i, %s: %s', (status, text, code) => {
  const message = Buffer.alloc(0)
  expect(translateStatus({ status, text, message })).toEqual({ code, detail: `${text} (gRPC ${status})` })
})

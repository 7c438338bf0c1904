import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { readIssuer, readIssuerIds, readSigned, readToken, readTokenLookup } from '../../../agent/vault/answers.ts'

const held = new Secret('hvs.held')
const auth = { client_token: 'hvs.CANARY', lease_duration: 900, renewable: false }
const wrongTypes = [undefined, null, true, 7, '', {}, [], [7]]

function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    if (error instanceof AgentError && error.code === 'vault-bad-answer') return error.message
    throw error
  }
  return 'accepted'
}

describe('login', () => {
  test('a good answer', () => {
    const { token, ttlSeconds, renewable } = readToken({ auth }, 'auth/jwt/login')
    expect([token.reveal(), ttlSeconds, renewable]).toEqual(['hvs.CANARY', 900, false])
  })

  test.each([[undefined], [null], [0], ['true'], [{}]])('renewable %j means no', (renewable) => {
    expect(readToken({ auth: { ...auth, renewable } }, 'x').renewable).toBe(false)
  })

  test.each(wrongTypes.filter((each) => each !== 7))('lease_duration %j', (value) => {
    const text = refusal(() => readToken({ auth: { ...auth, lease_duration: value } }, 'auth/jwt/login'))
    expect(text).toBe('auth/jwt/login: auth.lease_duration is not a number of seconds')
  })

  test.each([-1, Number.NaN, JSON.parse('1e999'), 1e13])('lease_duration %d is no time', (value) => {
    expect(refusal(() => readToken({ auth: { ...auth, lease_duration: value } }, 'x'))).toContain('lease_duration')
  })

  test.each([...wrongTypes, 'two\nlines', 'with space', 'ünicode', '\u0000'])('client_token %j', (value) => {
    expect(refusal(() => readToken({ auth: { ...auth, client_token: value } }, 'x'))).toContain('auth.client_token')
  })

  test.each([[undefined], [null], ['text'], [[]], [{}], [{ auth: null }], [{ auth: [] }], [{ auth: 'hvs.CANARY' }]])(
    'no auth in %j',
    (body) => {
      expect(refusal(() => readToken(body, 'x'))).toMatch(/is not an object|is not a token/)
    },
  )
})

test('lookup: the time that is left, and nothing else is believed', () => {
  expect(readTokenLookup({ data: { ttl: 60, renewable: true } }, held, 'x')).toEqual({
    token: held,
    ttlSeconds: 60,
    renewable: true,
  })
  for (const ttl of [...wrongTypes.filter((each) => each !== 7), -1, JSON.parse('1e999')]) {
    expect(refusal(() => readTokenLookup({ data: { ttl } }, held, 'x'))).toBe('x: data.ttl is not a number of seconds')
  }
})

describe('sign', () => {
  const data = { certificate: 'PEM', ca_chain: ['INT', 'ROOT'], issuing_ca: 'INT' }

  test('the chain is ca_chain, else issuing_ca, else nothing', () => {
    expect(readSigned({ data }, 'x')).toEqual({ certificate: 'PEM', chain: ['INT', 'ROOT'] })
    expect(readSigned({ data: { ...data, ca_chain: undefined } }, 'x').chain).toEqual(['INT'])
    expect(readSigned({ data: { certificate: 'PEM' } }, 'x').chain).toEqual([])
    expect(readSigned({ data: { certificate: 'PEM', issuing_ca: '' } }, 'x').chain).toEqual([])
  })

  test.each([
    ['certificate', wrongTypes, 'data.certificate is not a string'],
    ['ca_chain', [null, true, 7, 'PEM', {}, [7], ['PEM', null]], 'data.ca_chain is not a list of strings'],
    ['issuing_ca', [null, true, 7, {}, []], 'data.issuing_ca is not a string'],
  ])('wrong %s', (field, values, text) => {
    for (const value of values) {
      expect(refusal(() => readSigned({ data: { ...data, [field]: value } }, 'pki/sign/a'))).toBe(`pki/sign/a: ${text}`)
    }
  })
})

test('issuers: ids only, as they become part of a path', () => {
  expect(readIssuerIds({ data: { keys: ['3b-dc', 'e_1'] } }, 'x')).toEqual(['3b-dc', 'e_1'])
  for (const keys of [undefined, null, 'id', {}, [7]]) {
    expect(refusal(() => readIssuerIds({ data: { keys } }, 'x'))).toBe('x: data.keys is not a list of strings')
  }
  for (const id of ['', '../sys/seal', 'a/b', 'a?b', 'a b', '%2e', 'ä', 'a\n']) {
    expect(refusal(() => readIssuerIds({ data: { keys: ['good', id] } }, 'x'))).toContain('no issuer id')
  }
})

test('issuer: a certificate', () => {
  expect(readIssuer({ data: { certificate: 'PEM' } }, 'x')).toBe('PEM')
  for (const certificate of [undefined, null, 7, {}, []]) {
    expect(refusal(() => readIssuer({ data: { certificate } }, 'x'))).toBe('x: data.certificate is not a string')
  }
})

test('property: no JSON makes a reader throw anything but vault-bad-answer', () => {
  const json = fc.jsonValue()
  const part = fc.dictionary(
    fc.constantFrom(
      'client_token',
      'lease_duration',
      'renewable',
      'ttl',
      'certificate',
      'ca_chain',
      'issuing_ca',
      'keys',
    ),
    json,
  )
  const body = fc.oneof(json, fc.record({ auth: fc.oneof(json, part), data: fc.oneof(json, part) }))
  const readers = [
    readToken,
    readSigned,
    readIssuerIds,
    readIssuer,
    (b: unknown, w: string) => readTokenLookup(b, held, w),
  ]
  fc.assert(
    fc.property(body, (value) => {
      for (const read of readers) expect(refusal(() => read(value, 'x'))).toMatch(/^accepted$|^x: \S/)
    }),
    { numRuns: 500 },
  )
})

import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import { revealed } from '../../../agent/core/secret.ts'
import { inlineHeaders, translateInlineRefusal } from '../../../agent/vault/session.ts'

test('every parameter is a header of its own, base64url of its key and value', () => {
  const headers = inlineHeaders('jwt/prod', { role: 'calico-node', jwt: 'a.b.c?>' })
  expect(Object.keys(headers).toSorted()).toEqual([
    'X-Vault-Inline-Auth-Operation',
    'X-Vault-Inline-Auth-Parameter-jwt',
    'X-Vault-Inline-Auth-Parameter-role',
    'X-Vault-Inline-Auth-Path',
  ])
  expect(headers).toMatchObject({
    'X-Vault-Inline-Auth-Path': 'auth/jwt/prod/login',
    'X-Vault-Inline-Auth-Operation': 'update',
  })
  const jwt = revealed(headers)['X-Vault-Inline-Auth-Parameter-jwt'] ?? ''
  expect(jwt).toMatch(/^[\w-]+$/)
  expect(JSON.parse(Buffer.from(jwt, 'base64url').toString())).toEqual({ key: 'jwt', value: 'a.b.c?>' })
})

test.each<[ReasonCode, string, ReasonCode]>([
  ['vault-denied', 'POST x: 403 permission denied', 'inline-auth-unsupported'],
  ['vault-denied', 'POST x: 403 missing client token', 'inline-auth-unsupported'],
  ['vault-request-refused', 'POST x: 400 missing client token', 'inline-auth-unsupported'],
  ['vault-denied', 'POST x: 403 1 error occurred: * permission denied', 'vault-denied'],
  ['vault-request-refused', 'POST x: 400 common name not allowed', 'vault-request-refused'],
  ['vault-login-refused', 'POST x: 403 permission denied', 'vault-login-refused'],
  ['vault-sealed', 'POST x: 503 Vault is sealed', 'vault-sealed'],
])('%s, %s', (code, message, expected) => {
  const error = new AgentError(code, message)
  const translated = translateInlineRefusal(error)
  expect(translated).toMatchObject({ code: expected, message })
  // A reason that stays is the same error, with whatever else it knows.
  expect(translated === error).toBe(code === expected)
})

test('a bug stays a bug', () => {
  const bug = new TypeError('403 permission denied')
  expect(translateInlineRefusal(bug)).toBe(bug)
})

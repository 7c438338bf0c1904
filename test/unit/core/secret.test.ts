import { generateKeyPairSync } from 'node:crypto'
import { format, inspect } from 'node:util'
import * as fc from 'fast-check'
import pino from 'pino'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { redactSecrets, Secret } from '../../../agent/core/secret.ts'

const value = 'hvs.CAESIJtoken'
const secret = new Secret(value)

function logLine(log: (logger: pino.Logger) => void): string {
  let line = ''
  log(pino({}, { write: (text: string) => (line += text) }))
  return line
}

const ways: Readonly<Record<string, () => string>> = {
  'a template literal': () => `${secret.toString()} ${[secret].join('')}`,
  'String()': () => String(secret),
  'JSON.stringify': () => JSON.stringify({ secret, list: [secret] }),
  inspect: () => inspect(secret),
  'inspect of what holds it, hidden things too': () => inspect({ a: { b: [secret] } }, { showHidden: true, depth: 9 }),
  'format %s %o %O %j %d': () => format('%s %o %O %j %d', secret, secret, secret, secret, secret),
  'an error with it as its cause': () => inspect(new AgentError('vault-denied', 'no', { cause: secret })),
  'its own properties': () =>
    JSON.stringify([Reflect.ownKeys(secret), Object.entries(secret), Object.assign({}, secret)]),
  'a structured clone': () => inspect(structuredClone<object>(secret)),
  'a line of the log': () => logLine((logger) => logger.info({ secret, deep: { secret } }, 'a message %s', secret)),
}

test.each(Object.keys(ways))('the value does not appear in %s', (way) => {
  const text = ways[way]?.() ?? ''
  expect(text).not.toBe('')
  expect(text).not.toContain(value)
})

test('inspect without custom functions shows nothing of it', () => {
  expect(inspect(secret, { customInspect: false, showHidden: true })).not.toContain(value)
})

test('what is printed says that something is there', () => {
  expect(String(secret)).toBe('[redacted]')
  expect(JSON.stringify({ secret })).toBe('{"secret":"[redacted]"}')
  expect(inspect({ secret })).toBe('{ secret: [redacted] }')
})

test('reveal gives exactly what was put in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(new Secret(text).reveal()).toBe(text)
    }),
  )
})

describe('in the texts of others', () => {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  const lines = key.trim().split('\n').slice(1, -1)

  test('a key is hidden wherever it was cut, if anything still says that it is one', () => {
    fc.assert(
      fc.property(fc.nat(key.length), fc.nat(key.length), fc.constantFrom('\n', '\\n', ' '), (one, other, newline) => {
        const cut = key.slice(Math.min(one, other), Math.max(one, other))
        fc.pre(cut.includes('PRIVATE KEY'))
        const shown = redactSecrets(`failed: ${cut.replaceAll('\n', newline)}`)
        expect(shown).toContain('[redacted]')
        for (const line of lines) expect(shown).not.toContain(line.slice(0, 8))
        for (const line of lines) expect(shown).not.toContain(line.slice(-8))
      }),
    )
  })

  test('what stands before and behind a whole key is shown', () => {
    expect(redactSecrets(`before: ${key}after`)).toBe('before: [redacted]\nafter')
  })

  test.each([
    'hvs.CAESIJ4',
    'hvb.AAAAAQ',
    'hvr.CAESIJ4',
    `s.${'a1B2'.repeat(6)}`,
    `b.${'a_B-'.repeat(6)}`,
    `r.${'a1B2'.repeat(6)}`,
    'eyJhbGciOi.eyJpc3MiOi.c2lnbmF0',
    'GciOi.eyJpc3MiOi.c2lnbmF0',
    'eyJ',
    '-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF',
    '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56w',
    'RSA PRIVATE KEY-----\nMIIEow',
    'PRIVATE KEY MIIEow',
    'hvs.\nCAESIJ4',
  ])('%j is taken for a secret', (text) => {
    const shown = redactSecrets(`it is "${text}"`)
    expect(shown).toContain('[redacted]')
    expect(shown).not.toContain(text)
  })

  test.each([
    'secret/data/calico',
    'no private key there',
    'rs.example.org',
    '3 errors occurred: * missing client token',
  ])('%j is none', (text) => {
    expect(redactSecrets(text)).toBe(text)
  })

  test.each(['PRIVATE KEY', '-----BEGIN ', '-----END ', 'A', 'eyJ', 'hvs.', 's.', 'a:', ' '])(
    'a long text of nothing but %j does not keep the agent busy',
    (part) => {
      for (const before of ['', '-----BEGIN ', '-----END ']) {
        const text = before + part.repeat(Math.ceil(2 ** 19 / part.length))
        expect(redactSecrets(text).length).toBeLessThanOrEqual(text.length + '[redacted]'.length)
      }
    },
  )
})

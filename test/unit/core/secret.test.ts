import { format, inspect } from 'node:util'
import * as fc from 'fast-check'
import pino from 'pino'
import { expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'

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

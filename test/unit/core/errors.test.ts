import { getSystemErrorName } from 'node:util'
import { describe, expect, test } from 'vitest'
import { AgentError, ConfigError, messageOf, systemCode } from '../../../agent/core/errors.ts'
import { type ReasonCode, reasons } from '../../../agent/core/reason-catalog.ts'

describe('an AgentError', () => {
  test.each(Object.keys(reasons) as ReasonCode[])('%s tells how it is retried and what to do', (code) => {
    const error = new AgentError(code, 'detail')
    expect(error).toMatchObject({ name: 'AgentError', message: 'detail', code, retryAfterMs: undefined })
    expect(['outage', 'refused', 'local', 'awaited']).toContain(error.retry)
    expect(error.advice).toMatch(/^[A-Z].{5,}\.$/)
  })

  test('holds its cause and what the server asked to wait', () => {
    const cause = new Error('socket')
    const error = new AgentError('vault-rate-limited', 'slow down', { cause, retryAfterMs: 5000 })
    expect(error.cause).toBe(cause)
    expect(error.retryAfterMs).toBe(5000)
    expect('cause' in new AgentError('vault-timeout', '')).toBe(false)
  })
})

describe('the table of reasons', () => {
  test('has codes that are metric labels, log fields and anchors at once', () => {
    for (const code of Object.keys(reasons)) expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
  })

  test('says each thing once, as a clause that can follow a name', () => {
    const summaries = Object.values(reasons).map((reason) => reason.summary)
    expect(new Set(summaries).size).toBe(summaries.length)
    for (const text of summaries) expect(text).not.toMatch(/\.$/)
  })
})

test('a ConfigError holds every problem, and all of them in its message', () => {
  const error = new ConfigError(['A is wrong', 'B is wrong'])
  expect(error.problems).toEqual(['A is wrong', 'B is wrong'])
  expect(error.message).toBe('A is wrong\nB is wrong')
})

test.each([
  [-122, 'EDQUOT'],
  [-116, 'ESTALE'],
  [-117, 'EUCLEAN'],
  [-524, 'E524'],
])('a system error %d that the runtime has no name for has one all the same: %s', (errno, name) => {
  const code = getSystemErrorName(errno)
  expect(code).toContain('Unknown')
  expect(systemCode(Object.assign(new Error(code), { code, errno }))).toBe(name)
})

test('a detail from outside brings no control characters along, but for the ends of lines', () => {
  expect(new AgentError('malformed', '\u001b[2J\u0007\u009b31m one\r\ntwo\tthree').message).toBe(
    ' [2J 31m one \ntwo three',
  )
})

test('anything that was thrown has a code and a message', () => {
  expect(systemCode(Object.assign(new Error('no file'), { code: 'ENOENT' }))).toBe('ENOENT')
  expect(systemCode(Object.assign(new Error('odd'), { code: 5 }))).toBe('')
  for (const thrown of [new Error('plain'), 'text', undefined, null, { code: 'ENOENT' }]) {
    expect(systemCode(thrown)).toBe('')
  }
  expect(messageOf(new Error('plain'))).toBe('plain')
  expect(messageOf('text')).toBe('text')
  expect(messageOf(undefined)).toBe('undefined')
})

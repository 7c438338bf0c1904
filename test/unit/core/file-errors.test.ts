import { readdirSync, rmSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { translateFileErrors } from '../../../agent/core/files.ts'
import { reasons } from '../../../agent/core/reason-catalog.ts'

function translated(thrown: unknown): unknown {
  try {
    return translateFileErrors('/calico-secrets', () => {
      throw thrown
    })
  } catch (error) {
    return error
  }
}

const system = (code: string): Error => Object.assign(new Error(`${code}: no luck, open '/calico-secrets/x'`), { code })

const cases = [
  ['ENOENT', 'directory-missing'],
  ['ENOTDIR', 'directory-occupied'],
  ['EISDIR', 'directory-occupied'],
  ['ENOTEMPTY', 'directory-occupied'],
  ['EEXIST', 'directory-occupied'],
  ['EROFS', 'directory-read-only'],
  ['EACCES', 'directory-denied'],
  ['EPERM', 'directory-denied'],
  ['ENOSPC', 'directory-full'],
  ['EDQUOT', 'directory-full'],
  ['EIO', 'directory-failed'],
  ['ELOOP', 'directory-failed'],
  ['E2BIG', 'directory-failed'],
] as const

describe('a system error', () => {
  test.each(cases)('%s is %s, with the directory and its own words', (code, reason) => {
    const cause = system(code)
    expect(translated(cause)).toMatchObject({
      code: reason,
      message: `/calico-secrets: ${code}: no luck, open '/calico-secrets/x'`,
      cause,
    })
  })

  test.each([
    [-122, 'directory-full'],
    [-116, 'directory-failed'],
  ] as const)('%d, as the runtime throws it, is %s', (errno, reason) => {
    expect(translated(system(getSystemErrorName(errno)))).toMatchObject({ code: reason })
  })

  test('of the system itself', () => {
    expect(() => translateFileErrors('/nowhere', () => readdirSync('/nowhere'))).toThrow(
      expect.objectContaining({ code: 'directory-missing' }),
    )
  })

  test('reaches every reason of the store', () => {
    // What is no failure of a file operation has its own tests.
    const own = [
      'host-copy-absent',
      'directory-in-use',
      'directory-unlocked',
      'generation-stuck',
      'attributes-ignored',
      'repair-undone',
      'issuance-record',
    ]
    const reached = new Set<string>([...cases.map(([, reason]) => reason), ...own])
    const ofStore = Object.entries(reasons).flatMap(([code, { about }]) => (about === 'store' ? [code] : []))
    expect(ofStore.filter((code) => !reached.has(code))).toEqual([])
  })
})

describe('what is not a system error passes', () => {
  test.each([new AgentError('malformed', 'garbage'), new Error('a bug'), new TypeError('a bug'), 'text', undefined])(
    '%s',
    (thrown) => {
      expect(translated(thrown)).toBe(thrown)
    },
  )

  test("also Node's own errors", () => {
    expect(() => translateFileErrors('/tmp', () => rmSync('/tmp'))).toThrow(
      expect.objectContaining({ code: 'ERR_FS_EISDIR' }),
    )
  })
})

test('the result passes', () => {
  expect(translateFileErrors('/calico-secrets', () => 7)).toBe(7)
})

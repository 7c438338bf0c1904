import { expect, test } from 'vitest'
import { parseHttpDate } from '../../../agent/vault/failure.ts'

const at = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', at],
  ['Sunday, 06-Nov-94 08:49:37 GMT', at],
  ['Fri, 31 Dec 9999 23:59:59 GMT', Date.UTC(9999, 11, 31, 23, 59, 59)],
  // Five digits, and the last moment that there is: nothing can be added to it.
  ['Sat, 01 Jan 10000 00:00:00 GMT', undefined],
  ['Sat, 13 Sep 275760 00:00:00 GMT', undefined],
  ['-1', undefined],
  ['1e999', undefined],
  ['Mon Tue Wed', undefined],
  ['', undefined],
  [undefined, undefined],
])('%s', (text, expected) => {
  expect(parseHttpDate(text)).toBe(expected)
})

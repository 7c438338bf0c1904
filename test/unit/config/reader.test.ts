import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { refusedPathProblem } from '../../../agent/config/reader.ts'

test.each(['pki', 'team/pki', 'k8s-prod_1.2~x'])('%s is a path', (path) => {
  expect(refusedPathProblem(path)).toBeUndefined()
})

test.each(['', '/', 'a/', '/a', 'a//b', '.', 'a/..', 'a b', 'a?b', 'a#b', 'a%2fb', 'ä'])('%j is refused', (path) => {
  expect(refusedPathProblem(path)).toMatch(/it must be a path such as/)
})

test('an accepted path stays the same when it is put into a URL', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z./~-]{1,12}$/)), (path) => {
      fc.pre(refusedPathProblem(path) === undefined)
      expect(new URL(`https://vault/v1/${path}/sign`).pathname).toBe(`/v1/${path}/sign`)
    }),
  )
})

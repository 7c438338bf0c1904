import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contains,
  describeRange,
  exactKey,
  type Grant,
  normalizeGrants,
  prefixRange,
} from '../../../agent/etcd/grants.ts'

const key = fc.string({ unit: fc.constantFrom('/', 'a', 'b', '\xff'), minLength: 1, maxLength: 4 })
const range = fc.oneof(key.map(prefixRange), key.map(exactKey))
const grant = fc
  .tuple(fc.constantFrom('read', 'write', 'readwrite'), range)
  .map(([access, keys]): Grant => ({ access, ...keys }))

function allows(grants: readonly Grant[], at: string, access: string): boolean {
  return grants.some((each) => each.access.includes(access) && contains(each, exactKey(at)))
}

describe('ranges', () => {
  it('of a prefix hold exactly the keys that start with it', () => {
    fc.assert(
      fc.property(key, key, (prefix, at) => {
        expect(contains(prefixRange(prefix), exactKey(at))).toBe(at.startsWith(prefix))
      }),
    )
  })

  it('contain each other where every key of the one is in the other', () => {
    fc.assert(
      fc.property(range, range, key, (outer, inner, at) => {
        const isInside = contains(outer, inner) && contains(inner, exactKey(at))
        expect(!isInside || contains(outer, exactKey(at))).toBe(true)
      }),
    )
  })

  it.each([
    [prefixRange('/calico/'), '/calico/*'],
    [exactKey('/calico/x'), '/calico/x'],
    [prefixRange(''), '(every key)'],
    [{ key: '/a', end: '/c' }, '[/a, /c)'],
    [{ key: '/a', end: '\0' }, '[/a, …)'],
    [exactKey('/a\x1b[31m'), '"/a\\u001b[31m"'],
  ])('%j reads %s', (given, text) => {
    expect(describeRange(given)).toBe(text)
  })
})

describe('normalizing', () => {
  it('keeps the rights, has each range once and none inside another of the same access', () => {
    fc.assert(
      fc.property(fc.array(grant), key, fc.constantFrom('read', 'write'), (grants, at, access) => {
        const normal = normalizeGrants(grants)
        expect(allows(normal, at, access)).toBe(allows(grants, at, access))
        expect(new Set(normal.map(({ key: from, end }) => `${from}|${end}`)).size).toBe(normal.length)
        expect(normalizeGrants(normal)).toEqual(normal)
      }),
    )
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allows,
  contains,
  describeRange,
  exactKey,
  type Grant,
  normalizeGrants,
  prefixRange,
} from '../../../../agent/operator/etcd/grants.ts'

const key = fc.string({ unit: fc.constantFrom('/', 'a', 'b', '\xff'), minLength: 1, maxLength: 4 })
const range = fc.oneof(key.map(prefixRange), key.map(exactKey))
const grant = fc
  .tuple(fc.constantFrom('read', 'write', 'readwrite'), range)
  .map(([access, keys]): Grant => ({ access, ...keys }))

function permits(grants: readonly Grant[], at: string, access: string): boolean {
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
        expect(permits(normal, at, access)).toBe(permits(grants, at, access))
        expect(new Set(normal.map(({ key: from, end }) => `${from}|${end}`)).size).toBe(normal.length)
        expect(normalizeGrants(normal)).toEqual(normal)
      }),
    )
  })
})

describe('what etcd allows', () => {
  const right = fc.constantFrom<Grant['access'][]>('read', 'write', 'readwrite')

  it('is every key of the range, whichever grants cover it', () => {
    // Every key that there is in this world, and the ends of ranges fall between them.
    const letters = ['a', 'b', 'c', 'd', 'e']
    const bounds = fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 5 }))
    const between = bounds.map(([from, length]) => {
      const end = letters[from + length]
      return { key: letters[from] ?? '', end: length === 1 ? '' : (end ?? '\0') }
    })
    const grants = fc.array(fc.tuple(right, between).map(([access, keys]): Grant => ({ access, ...keys })))
    fc.assert(
      fc.property(grants, right, between, (held, access, keys) => {
        const wanted = { access, ...keys }
        const last = keys.end === '' || keys.end === '\0' ? undefined : keys.end
        // A key between two letters is only covered by a range, not by exact keys beside each other.
        const world = [...letters, ...letters.map((letter) => `${letter}x`)]
        const inside = world.filter((at) =>
          keys.end === '' ? at === keys.key : at >= keys.key && (last === undefined || at < last),
        )
        const everyKey = (['read', 'write'] as const)
          .filter((one) => access.includes(one))
          .every((one) => inside.every((at) => permits(held, at, one)))
        expect(allows(held, wanted)).toBe(everyKey && (keys.end !== '\0' || permitsWithoutEnd(held, access)))
      }),
    )
  })

  function permitsWithoutEnd(held: readonly Grant[], access: string): boolean {
    return (['read', 'write'] as const)
      .filter((one) => access.includes(one))
      .every((one) => held.some((each) => each.access.includes(one) && each.end === '\0'))
  }

  it.each<[string, readonly Grant[], Grant, boolean]>([
    [
      'two halves',
      [
        { access: 'read', key: 'a', end: 'b' },
        { access: 'read', key: 'b', end: 'c' },
      ],
      { access: 'read', key: 'a', end: 'c' },
      true,
    ],
    [
      'a gap',
      [
        { access: 'read', key: 'a', end: 'b' },
        { access: 'read', key: 'bb', end: 'c' },
      ],
      { access: 'read', key: 'a', end: 'c' },
      false,
    ],
    [
      'reading here, writing there',
      [
        { access: 'read', ...exactKey('k') },
        { access: 'write', ...exactKey('k') },
      ],
      { access: 'readwrite', ...exactKey('k') },
      true,
    ],
    ['a key for a range', [{ access: 'read', ...exactKey('k') }], { access: 'read', ...prefixRange('k') }, false],
  ])('%s', (_, held, wanted, expected) => {
    expect(allows(held, wanted)).toBe(expected)
  })
})

import { expect, test } from 'vitest'
import { firstFor, orderFrom } from '../../../agent/vault/addresses.ts'

const three = ['https://a', 'https://b', 'https://c']

test('every address is asked once, the last good one first', () => {
  expect(orderFrom(three, 'https://b')).toEqual(['https://b', 'https://c', 'https://a'])
  expect(orderFrom(three, 'https://gone')).toEqual(three)
  expect(orderFrom(['https://a'], '')).toEqual(['https://a'])
})

test('a fleet begins at all of them alike, and each node where it began before', () => {
  const nodes = Array.from({ length: 3000 }, (_, index) => `node${index}`)
  const counts = new Map<string, number>()
  for (const node of nodes) {
    const first = firstFor(three, 'prod', node)
    expect(firstFor(three, 'prod', node)).toBe(first)
    counts.set(first, (counts.get(first) ?? 0) + 1)
  }
  expect([...counts.keys()].toSorted()).toEqual(three)
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

test('without an address there is nothing to choose', () => {
  expect(firstFor([], 'prod', 'node1')).toBe('')
})

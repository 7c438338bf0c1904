import { expect, test } from 'vitest'
import { createAddressChoice, firstFor, orderFrom } from '../../../agent/vault/addresses.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

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

test('after an hour elsewhere the own address is asked again, and then the last good one', () => {
  const clock = createFakeClock()
  const choice = createAddressChoice(three, 'https://b', clock)
  expect(choice.answered('https://a')).toBe(true)
  clock.advance(3_599_999)
  expect(choice.order()).toEqual(three)
  clock.advance(1)
  expect(choice.order()).toEqual(['https://b', 'https://a', 'https://c'])
  expect(choice.answered('https://b')).toBe(true)
  clock.advance(7_200_000)
  expect(choice.order()).toEqual(['https://b', 'https://c', 'https://a'])
  expect(choice.answered('https://b')).toBe(false)
})

test('an own address that stays down is tried once an hour, and nothing new is told', () => {
  const clock = createFakeClock()
  const choice = createAddressChoice(three, 'https://b', clock)
  choice.answered('https://c')
  const tries = Array.from({ length: 100 }, () => {
    clock.advance(600_000)
    const [first] = choice.order()
    expect(choice.answered('https://c')).toBe(false)
    return first
  })
  expect(tries.filter((first) => first === 'https://b')).toHaveLength(16)
})

test('a move from one address to another elsewhere does not put the way back off', () => {
  const clock = createFakeClock()
  const choice = createAddressChoice(three, 'https://b', clock)
  choice.answered('https://c')
  clock.advance(3_000_000)
  choice.answered('https://a')
  clock.advance(600_000)
  expect(choice.order()[0]).toBe('https://b')
})

test('an outage of one address moves its nodes away for an hour, and then the fleet is spread as before', () => {
  const clock = createFakeClock()
  const fleet = Array.from({ length: 300 }, (_, index) => {
    const home = firstFor(three, 'prod', `node${index}`)
    return { home, choice: createAddressChoice(three, home, clock) }
  })
  const renewAll = (down: string): string[] =>
    fleet.map(({ choice }) => {
      const origin = choice.order().find((each) => each !== down) ?? ''
      choice.answered(origin)
      return origin
    })
  expect(renewAll('https://a')).not.toContain('https://a')
  clock.advance(3_600_000)
  expect(renewAll('')).toEqual(fleet.map(({ home }) => home))
})

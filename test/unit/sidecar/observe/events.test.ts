import { expect, test } from 'vitest'
import { type AgentEvent, createEventHub } from '../../../../agent/sidecar/observe/events.ts'

const numbered = (length: number): AgentEvent => ({
  type: 'long-name',
  component: 'c',
  node: 'n',
  commonName: '',
  length,
})
const numbers = (events: readonly AgentEvent[]): number[] =>
  events.map((event) => ('length' in event ? event.length : -1))

test('events from before the first listener are handed over, in order, then the later ones', () => {
  const hub = createEventHub()
  hub.emit(numbered(1))
  hub.emit(numbered(2))
  const heard: AgentEvent[] = []
  hub.attach((event) => heard.push(event))
  hub.emit(numbered(3))
  expect(numbers(heard)).toEqual([1, 2, 3])
})

test('a later listener hears what comes then; every listener hears everything', () => {
  const hub = createEventHub()
  const [one, other]: [AgentEvent[], AgentEvent[]] = [[], []]
  hub.attach((event) => one.push(event))
  hub.emit(numbered(1))
  hub.attach((event) => other.push(event))
  hub.emit(numbered(2))
  expect([numbers(one), numbers(other)]).toEqual([[1, 2], [2]])
})

test('without a listener the newest thousand are kept', () => {
  const hub = createEventHub()
  for (let count = 1; count <= 1500; count++) hub.emit(numbered(count))
  const heard: AgentEvent[] = []
  hub.attach((event) => heard.push(event))
  expect([heard.length, ...numbers(heard).slice(0, 1), ...numbers(heard).slice(-1)]).toEqual([1000, 501, 1500])
})

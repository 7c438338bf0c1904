/** Owns chance that comes again: everything in a case follows from the seed of the run and the number of the case. */
import * as fc from 'fast-check'

export interface Dice {
  /** A whole number from 0 to below `count`. */
  below(count: number): number
  /** Once in `count` times. */
  oneIn(count: number): boolean
  of<Value>(values: readonly Value[]): Value
  sample<Value>(values: fc.Arbitrary<Value>): Value
}

export function createDice(seed: number, number: number): Dice {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0
  /** mulberry32. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (count: number): number => next() % count
  return {
    below,
    oneIn: (count) => below(count) === 0,
    of: (values) => values[below(values.length)] as (typeof values)[number],
    sample: (values) => fc.sample(values, { seed: next() | 0, numRuns: 1 })[0] as never,
  }
}

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../agent/core/duration.ts'

test.each([
  ['24h', 86_400_000],
  ['1h30m', 5_400_000],
  ['90s', 90_000],
  ['90', 90_000],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['0.5ms', 1],
  ['1m1ms', 60_001],
  ['0', 0],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', ' ', '1d', '1 h', '-1h', '+1h', 'h', '1.h', '.5h', '1h30', '1H', '1e3s', '1h 30m', '٣s', '1h\n'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

test.each([
  [0, '0s'],
  [499, '0s'],
  [500, '1s'],
  [725_000, '12m 5s'],
  [273_600_000, '3d 4h'],
  [86_400_000, '1d'],
  [86_405_000, '1d'],
  [-60_000, '-1m'],
])('%d ms is shown as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('any text is a duration or is not: a number of milliseconds that is not negative, or undefined', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9hms.]{0,12}$/)), (text) => {
      const ms = parseDuration(text)
      expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true)
    }),
  )
})

test('the sum of the parts, in any order of the units', () => {
  const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  const part = fc.tuple(fc.nat(10_000), fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])))
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const text = parts.map(([value, unit]) => `${value}${unit}`).join('')
      expect(parseDuration(text)).toBe(parts.reduce((sum, [value, unit]) => sum + value * units[unit], 0))
    }),
  )
})

test('what is shown of less than a day is the duration itself, but for what is beyond its two units', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_399_000 }), (ms) => {
      const shown = parseDuration(formatDuration(ms).replaceAll(' ', '')) ?? Number.NaN
      expect(Math.abs(shown - ms)).toBeLessThan(ms < 3_600_000 ? 501 : 60_000)
    }),
  )
})

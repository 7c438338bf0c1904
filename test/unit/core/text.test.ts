import { expect, test } from 'vitest'
import { formatBytes, plural } from '../../../agent/core/text.ts'

test.each([
  [0, '0 changes'],
  [1, '1 change'],
  [2, '2 changes'],
])('%i', (count, text) => {
  expect(plural(count, 'change')).toBe(text)
})

test.each([
  [0, '0 KiB'],
  [1023, '0 KiB'],
  [65_536, '64 KiB'],
  [1_048_575, '1023 KiB'],
  [1_048_576, '1.0 MiB'],
  [46_920_836 * 1024, '44.7 GiB'],
  [2 ** 50, '1.0 PiB'],
  [2 ** 62, '4096.0 PiB'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

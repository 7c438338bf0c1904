import { describe, expect, it } from 'vitest'
import { painter } from '../../../agent/cli/terminal.ts'

describe('color', () => {
  it('is for terminals, unless NO_COLOR or a dumb one', () => {
    expect(painter(true, {})('x', '+')).toBe('\x1b[32mx\x1b[0m')
    expect(painter(true, { NO_COLOR: '1' })('x', '+')).toBe('x')
    expect(painter(true, { TERM: 'dumb' })('x', '+')).toBe('x')
    expect(painter(false, {})('x', '-')).toBe('x')
  })
})

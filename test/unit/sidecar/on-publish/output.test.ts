import { expect, test } from 'vitest'
import { createOutput } from '../../../../agent/sidecar/on-publish/output.ts'

test('of the output the end is kept, on one line, and nothing that looks like a secret', () => {
  const output = createOutput()
  output.add(Buffer.from('one\n\u001b[31mtwo\n'))
  expect(output.text()).toBe('one [31mtwo')
  for (let count = 0; count < 1000; count++) output.add(Buffer.from(`line ${count}\n`))
  expect(output.text()).toMatch(/^….*line 999$/)
  expect(Buffer.byteLength(output.text())).toBeLessThan(2100)
  for (const secret of [
    '-----BEGIN EC PRIVATE KEY-----',
    'MHcCAQ\n-----END PRIVATE KEY-----',
    'token hvs.CAES',
    'eyJhbGciOi.eyJpc3MiOi',
  ]) {
    const other = createOutput()
    other.add(Buffer.from(`before\n${secret}\nafter`))
    expect(other.text()).toBe('[redacted: it holds a key or a token]')
  }
})

test('a key or a token of which only the end is left is not shown either', () => {
  const token = `eyJhbGciOi${'a'.repeat(1000)}.eyJpc3MiOi${'b'.repeat(2000)}.${'c'.repeat(400)}`
  for (const secret of [token, `hvs.${'d'.repeat(4000)}`, `s.${'e'.repeat(24)}`]) {
    // However the pipe cuts it.
    for (const size of [1, 700, 65_536]) {
      const output = createOutput()
      const bytes = Buffer.from(`it is ${secret} ${'more '.repeat(400)}`)
      for (let at = 0; at < bytes.length; at += size) output.add(bytes.subarray(at, at + size))
      expect(output.text()).toBe('[redacted: it holds a key or a token]')
    }
  }
})

/** Every certificate that is one bit away from a good one: parsed, judged and described in a process of its own, which survives. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('no single bit of a leaf or of a CA ends the process, or passes the gate unseen', () => {
  const worker = join(import.meta.dirname, 'agent', 'bit-flips.ts')
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [worker], { encoding: 'utf8' })
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  const told = JSON.parse(stdout) as Record<'leaf' | 'ca', Record<'flips' | 'unusable' | 'refused' | 'passed', number>>
  for (const { flips, unusable, refused, passed } of Object.values(told)) {
    // The public key alone has 91 bytes, in the form that is the most frequent.
    expect(unusable).toBeGreaterThan(500)
    expect(unusable + refused + passed).toBe(flips)
  }
  // A leaf is signed: of what is changed in it, nothing is as good as before.
  expect(told.leaf.passed).toBe(0)
}, 120_000)

import { describe, expect, test } from 'vitest'
import { sleepInParts, systemClock } from '../../../agent/core/clock.ts'

const never = new AbortController().signal

describe('a sleep', () => {
  test('that is longer than a timer can be has not ended at once', async () => {
    const wake = new AbortController()
    const sleeping = systemClock.sleep(2 ** 31 + 1000, wake.signal).then(() => 'the long one')
    // A timer that was asked for more than it can fires after 1 ms.
    const short = systemClock.sleep(20, never).then(() => 'the short one')
    expect(await Promise.race([sleeping, short])).toBe('the short one')
    wake.abort()
    await sleeping
  })

  test('in many parts takes as long as in one, and can be woken in each', async () => {
    const startedAt = systemClock.monotonic()
    await sleepInParts(20, never, 3)
    expect(systemClock.monotonic() - startedAt).toBeGreaterThan(19)
    const wake = new AbortController()
    const sleeping = sleepInParts(3_600_000, wake.signal, 3)
    await systemClock.sleep(10, never)
    wake.abort()
    await sleeping
  })
})

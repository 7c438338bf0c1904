import { expect, test } from 'vitest'
import {
  hasNewCa,
  isNews,
  type Latest,
  planNotice,
  type TargetNotice,
} from '../../../../agent/sidecar/on-publish/on-publish.ts'
import type { Told } from '../../../../agent/sidecar/store/records.ts'

const latest: Latest = { serialNumber: '2', ca: 'a', reason: 'renewal-due', notAfterMs: 1 }
const found: Latest = { ...latest, reason: 'found' }
const told = (serialNumber: string, ca = 'a'): Told => ({ serialNumber, ca })

test.each<[string, Latest, Told | undefined, boolean, boolean]>([
  ['the first certificate', latest, undefined, true, false],
  ['what was there at the start, with nothing known of it', found, undefined, false, false],
  ['what was told already', latest, told('2'), false, false],
  ['another certificate', latest, told('1'), true, false],
  ['another CA set', latest, told('2', 'b'), true, true],
  ['another certificate, found at the start', found, told('1'), true, false],
  ['another CA set, found at the start', found, told('2', 'a b'), true, true],
])('%s', (_what, now, before, every, caOnly) => {
  expect(isNews({ latest: now, told: before }, 'every')).toBe(every)
  expect(isNews({ latest: now, told: before }, 'ca-only')).toBe(caOnly)
  expect(hasNewCa(now, before)).toBe(caOnly)
})

const notice = (change: Partial<TargetNotice>): TargetNotice => ({
  latest,
  told: told('1'),
  retryAtMono: undefined,
  ...change,
})

test('whoever has news is told now; after a failure when the wait is over, and nobody waits for somebody else', () => {
  const plan = (targets: Record<string, TargetNotice>, mono = 1000) =>
    planNotice(new Map(Object.entries(targets)), 'every', mono)
  expect(plan({})).toEqual({ do: 'wait', forMs: Number.POSITIVE_INFINITY })
  expect(plan({ a: notice({ told: told('2') }) })).toEqual({ do: 'wait', forMs: Number.POSITIVE_INFINITY })
  expect(plan({ a: notice({ retryAtMono: 3000 }), b: notice({ retryAtMono: 2000 }) })).toEqual({
    do: 'wait',
    forMs: 1000,
  })
  expect(plan({ a: notice({ retryAtMono: 3000 }), b: notice({}) })).toEqual({ do: 'tell', component: 'b' })
  expect(plan({ a: notice({ retryAtMono: 3000 }) }, 3000)).toEqual({ do: 'tell', component: 'a' })
})

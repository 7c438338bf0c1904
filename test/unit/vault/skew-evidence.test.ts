import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loginEvidence, lookupEvidence, signedEvidence } from '../../../agent/vault/skew.ts'

const nowMs = Date.parse('2026-11-21T00:00:00Z')
const second = 1000
const hour = 3600 * second
const day = 24 * hour

/** Cut to whole seconds, as in a certificate. */
const signed = (atMs: number, { backdatedMs = 30 * second, livesMs = day } = {}) => ({
  notBeforeMs: Math.floor((atMs - backdatedMs) / 1000) * 1000,
  notAfterMs: Math.floor((atMs + livesMs) / 1000) * 1000,
})

describe('a certificate that was just signed', () => {
  test('of a usual role says when, to the second', () => {
    expect(signedEvidence(signed(nowMs), 86_400)).toEqual({ earliestMs: nowMs, latestMs: nowMs + second })
  })

  test.each([
    ['the lifetime is cut by max_ttl or by the issuer', { livesMs: hour }, [-30 * second, hour]],
    ['the role backdates by an hour', { backdatedMs: hour }, [-hour, day]],
    ['the role does not backdate', { backdatedMs: 0 }, [0, day]],
    ['the role has a fixed end', { livesMs: 365 * day }, [-30 * second, 365 * day]],
    ['the role backdates by an hour and the lifetime is cut', { backdatedMs: hour, livesMs: hour }, [-hour, hour]],
  ])('%s: it says less, and nothing that is wrong', (_what, how, [fromMs = 0, toMs = 0]) => {
    expect(signedEvidence(signed(nowMs, how), 86_400)).toEqual({ earliestMs: nowMs + fromMs, latestMs: nowMs + toMs })
  })

  test('property: whatever the role does, the moment lies within', () => {
    const at = fc.integer({ min: 0, max: 4e12 })
    const lives = fc.integer({ min: 2000, max: 1e12 })
    const asked = fc.integer({ min: 60_000, max: 1e12 })
    const backdated = fc.oneof(fc.constant(30 * second), fc.integer({ min: 0, max: 1e9 }))
    fc.assert(
      fc.property(at, asked, lives, fc.boolean(), backdated, (atMs, ttlMs, cutMs, isCut, backdatedMs) => {
        const ttlSeconds = Math.floor(ttlMs / 1000)
        const livesMs = isCut ? cutMs : ttlSeconds * 1000
        // The one that no certificate gives away: as much is cut as the role backdates beyond the default.
        fc.pre(!isCut || Math.abs(ttlSeconds * 1000 - livesMs - (backdatedMs - 30 * second)) > 5 * second)
        const found = signedEvidence(signed(atMs, { livesMs, backdatedMs }), ttlSeconds)
        expect(found.earliestMs).toBeLessThanOrEqual(atMs)
        expect(found.latestMs).toBeGreaterThanOrEqual(atMs)
      }),
    )
  })
})

test('a token that is looked up says when it ends, and how long that is', () => {
  expect(lookupEvidence(nowMs + hour, 3600)).toEqual({ earliestMs: nowMs - second, latestMs: nowMs + second })
  expect(lookupEvidence(undefined, 3600)).toBeUndefined()
  expect(lookupEvidence(nowMs, 0)).toBeUndefined()
})

test('a token that was accepted had begun and not ended, give or take what Vault allows', () => {
  const found = loginEvidence(nowMs, nowMs + hour)
  expect(found).toEqual({ earliestMs: nowMs - 150 * second, latestMs: nowMs + hour + 150 * second })
  expect(loginEvidence(undefined, nowMs)).toBeUndefined()
  expect(loginEvidence(nowMs, undefined)).toBeUndefined()
})

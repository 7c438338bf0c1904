import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { reasons } from '../../../../../agent/core/reason-catalog.ts'
import {
  type Finding,
  isRefusal,
  type ProbeContext,
  planProbeMs,
  planVerdict,
  probeCodes,
  summarize,
  type Verdict,
} from '../../../../../agent/sidecar/gate/probe/outcome.ts'

const hourMs = 3_600_000
const day = (hoursLeft: number) => ({ runwayMs: hoursLeft * hourMs, lifetimeMs: 24 * hourMs })
const of = (seconds: number, secondsLeft: number) => ({ runwayMs: secondsLeft * 1000, lifetimeMs: seconds * 1000 })
const required = (published: ProbeContext['published'], subject: ProbeContext['subject'] = 'certificate') =>
  ({ mode: 'require', subject, published }) as const

describe('the verdict', () => {
  const unheard: readonly (readonly [string, ProbeContext['published'], Verdict])[] = [
    ['nothing is published', undefined, 'unverified'],
    ['most of the day is left', day(23), 'refuse'],
    ['a quarter of the day is left', day(6), 'refuse'],
    ['less than a quarter is left', day(5.99), 'unverified'],
    ['it has expired', day(-1), 'unverified'],
    ['two of five minutes are left', of(300, 120), 'refuse'],
    ['less than a minute of two is left', of(120, 59), 'unverified'],
    ['it lives for seconds', of(5, 4), 'unverified'],
  ]
  test.each(unheard)('etcd is not heard and %s', (_, published, verdict) => {
    expect(planVerdict('etcd-unheard', required(published))).toBe(verdict)
    expect(planVerdict('etcd-bad-answer', required(published))).toBe(verdict)
    expect(planVerdict('etcd-unheard', required(published, 'ca-set'))).toBe(verdict)
  })

  test.each(probeCodes.filter(isRefusal))('%s refuses a certificate, however little is left', (code) => {
    for (const published of [undefined, day(20), day(0.1), day(-1)]) {
      expect(planVerdict(code, required(published))).toBe('refuse')
    }
  })

  test('a CA set is refused only where it is the CA set that fails', () => {
    const refused = probeCodes.filter((code) => planVerdict(code, required(day(20), 'ca-set')) === 'refuse')
    expect(refused).toEqual(['etcd-untrusted-server', 'etcd-bad-answer', 'etcd-unheard'])
  })

  const published = fc.option(fc.record({ runwayMs: fc.integer(), lifetimeMs: fc.nat() }), { nil: undefined })
  const subject = fc.constantFrom('certificate', 'ca-set')
  const code = fc.constantFrom(...probeCodes)

  test('what etcd accepts is published', () => {
    fc.assert(
      fc.property(fc.constantFrom('warn', 'require'), subject, published, (mode, about, each) => {
        expect(planVerdict('accepted', { mode, subject: about, published: each })).toBe('publish')
      }),
    )
  })

  test('`warn` never refuses, and is never silent', () => {
    fc.assert(
      fc.property(code, subject, published, (finding, about, each) => {
        expect(planVerdict(finding, { mode: 'warn', subject: about, published: each })).toBe('unverified')
      }),
    )
  })

  test('no certificate is published in silence that was not accepted', () => {
    fc.assert(
      fc.property(code, published, (finding, each) => {
        expect(planVerdict(finding, required(each))).not.toBe('publish')
      }),
    )
  })
})

describe('the time for a probe', () => {
  test('is a few seconds, and no great part of what is left', () => {
    expect(planProbeMs(undefined)).toBe(4000)
    expect(planProbeMs(day(20))).toBe(4000)
    expect(planProbeMs(of(60, 8))).toBe(1000)
    expect(planProbeMs(of(5, 0.1))).toBe(250)
    // There is nothing to lose.
    expect(planProbeMs(day(-1))).toBe(4000)
  })
})

describe('the findings of several members', () => {
  const finding = (each: Finding['code']): Finding => ({ code: each, detail: `https://${each}` })

  test('one that accepts is enough', () => {
    fc.assert(
      fc.property(fc.subarray([...probeCodes]), fc.nat(probeCodes.length), (codes, place) => {
        const findings = [...codes.slice(0, place), 'accepted' as const, ...codes.slice(place)].map(finding)
        expect(summarize(findings)).toEqual(finding('accepted'))
      }),
    )
  })

  test('where none does, the detail tells of all', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...probeCodes], { minLength: 1 }), (codes) => {
        const { code: first, detail } = summarize(codes.map(finding))
        expect(codes).toContain(first)
        expect(detail).toBe(codes.map((each) => `https://${each}`).join('; '))
      }),
    )
  })

  test('what decides wins over what does not', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...probeCodes], { minLength: 1 }), (codes) => {
        const { code: first } = summarize(codes.map(finding))
        expect(first !== 'accepted' && isRefusal(first)).toBe(codes.some(isRefusal))
      }),
    )
    expect(summarize([finding('etcd-unheard'), finding('etcd-unknown-user')]).code).toBe('etcd-unknown-user')
  })

  test('every code is in the table of reasons', () => {
    for (const code of probeCodes) expect(reasons[code].about).toBe('gate')
  })
})

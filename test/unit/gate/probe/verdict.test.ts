import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Finding, isRefusal, probeCodes, summarize } from '../../../../agent/gate/probe/outcome.ts'
import { type ProbeContext, planProbeMs, planVerdict, type Verdict } from '../../../../agent/gate/probe/verdict.ts'
import { reasons } from '../../../../agent/reasons.ts'

const hourMs = 3_600_000
const day = (hoursLeft: number) => ({ runwayMs: hoursLeft * hourMs, lifetimeMs: 24 * hourMs })
const of = (seconds: number, secondsLeft: number) => ({ runwayMs: secondsLeft * 1000, lifetimeMs: seconds * 1000 })
const required = (published: ProbeContext['published'], subject: ProbeContext['subject'] = 'certificate') =>
  ({ mode: 'require', subject, published }) as const

describe('the verdict', () => {
  const unheard: readonly (readonly [string, ProbeContext['published'], Verdict])[] = [
    ['nothing is published', undefined, 'anyway'],
    ['most of the day is left', day(23), 'refuse'],
    ['a quarter of the day is left', day(6), 'refuse'],
    ['less than a quarter is left', day(5.99), 'anyway'],
    ['it has expired', day(-1), 'anyway'],
    ['two of five minutes are left', of(300, 120), 'refuse'],
    ['less than a minute of two is left', of(120, 59), 'anyway'],
    ['it lives for seconds', of(5, 4), 'anyway'],
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

  const context = fc.record({
    mode: fc.constantFrom('warn', 'require'),
    subject: fc.constantFrom('certificate', 'ca-set'),
    published: fc.option(fc.record({ runwayMs: fc.integer(), lifetimeMs: fc.nat() }), { nil: undefined }),
  })

  test('what etcd accepts is published; `warn` never refuses', () => {
    fc.assert(
      fc.property(context, fc.constantFrom(...probeCodes), (each, code) => {
        expect(planVerdict('accepted', each)).toBe('publish')
        if (each.mode === 'warn') expect(planVerdict(code, each)).toBe('anyway')
        // Nothing is published in silence that was not accepted, but for a CA set that did its part.
        else if (each.subject === 'certificate') expect(planVerdict(code, each)).not.toBe('publish')
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
  const finding = (code: Finding['code']): Finding => ({ code, detail: `https://${code}` })

  test('one that accepts is enough', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['accepted', ...probeCodes] as const, { minLength: 1 }), (codes) => {
        const { code, detail } = summarize(codes.map(finding))
        const isAccepted = codes.includes('accepted')
        expect(code === 'accepted').toBe(isAccepted)
        if (!isAccepted) for (const each of codes) expect(detail).toContain(each)
      }),
    )
  })

  test('what decides wins over what does not', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...probeCodes], { minLength: 1 }), (codes) => {
        const { code } = summarize(codes.map(finding))
        expect(code !== 'accepted' && isRefusal(code)).toBe(codes.some(isRefusal))
      }),
    )
    expect(summarize([finding('etcd-unheard'), finding('etcd-unknown-user')]).code).toBe('etcd-unknown-user')
  })

  test('every code is in the table of reasons', () => {
    for (const code of probeCodes) expect(reasons[code].about).toBe('gate')
  })
})

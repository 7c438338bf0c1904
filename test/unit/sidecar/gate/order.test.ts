import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../../agent/core/reason-catalog.ts'
import { judge, requirePass } from '../../../../agent/sidecar/gate/gate.ts'
import { createCa, createKeyPair } from '../../../support/certificates.ts'
import { bundleOf } from '../../pki/parsed.ts'
import { bundle, ca, context, dates, otherCa, wanted } from './gate-rig.ts'

describe('the order of the checks', () => {
  /** A bundle with one more fault at each step, so that the first check that sees one decides. */
  test('is the one of the design: what it is, when it is good, what it would take away', async () => {
    const order: (ReasonCode | undefined)[] = []
    const live = [bundleOf(await otherCa.issue(), [otherCa])]
    const leaf = await ca.issue({ commonName: 'another', server: true, ...dates(-3600, -1) })
    const everything = bundleOf(leaf, [], [], await createKeyPair())
    const without: ReasonCode[] = []
    for (;;) {
      const rejection = judge(everything, context({ live }), without)
      if (rejection === undefined) break
      order.push(rejection.code)
      without.push(rejection.code)
    }
    expect(order).toEqual([
      'key-mismatch',
      'untrusted-chain',
      'wrong-name',
      'not-client-auth',
      'expired',
      'lifetime-too-short',
      'ca-lost',
    ])
  })

  test('tells a beginning in the future before everything that follows from it', async () => {
    const future = await bundle({ ...dates(3600, 3630) })
    expect(judge(future, context())?.code).toBe('not-yet-valid')
    const inUse = [bundleOf(await otherCa.issue(), [otherCa])]
    expect(judge(future, context({ live: inUse }), ['not-yet-valid'])?.code).toBe('ca-lost')
  })

  test('judges the chain of an expired certificate at a time at which it was valid', async () => {
    const old = await createCa({ commonName: 'Old', ...dates(-7200, -3600) })
    const leaf = await old.issue({ commonName: wanted, ...dates(-7000, -4000) })
    expect(judge(bundleOf(leaf, [old]), context())?.code).toBe('expired')
  })
})

test('requirePass throws the rejection, or nothing', async () => {
  const server = await bundle({ server: true })
  expect(() => requirePass(server, context())).toThrow(AgentError)
  expect(() => requirePass(server, context())).toThrow(expect.objectContaining({ code: 'not-client-auth' }))
  expect(() => requirePass(server, context(), ['not-client-auth'])).not.toThrow()
})

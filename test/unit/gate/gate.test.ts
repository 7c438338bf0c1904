import { beforeAll, describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/errors.ts'
import type { GateContext } from '../../../agent/gate/checks.ts'
import { judge, requirePass } from '../../../agent/gate/gate.ts'
import { isProbeCode } from '../../../agent/gate/probe/outcome.ts'
import { type Bundle, parseBundle } from '../../../agent/pki/bundle.ts'
import { type ReasonCode, reasons } from '../../../agent/reasons.ts'
import { Secret } from '../../../agent/secret.ts'
import {
  createCa,
  createKeyPair,
  type LeafOptions,
  type TestCa,
  type TestCertificate,
} from '../../support/certificates.ts'
import { withDamagedSecret } from '../../support/damaged.ts'
import { bundleOf } from '../pki/parsed.ts'

const wanted = 'calico-node:node1'
const now = Math.floor(Date.now() / 1000) * 1000
const hour = 3_600_000
let ca: TestCa
let otherCa: TestCa

const context = (changes: Partial<GateContext> = {}): GateContext => ({
  nowMs: now,
  clocks: { earliestMs: now, latestMs: now },
  commonName: wanted,
  minLifetimeMs: 60_000,
  live: [],
  ...changes,
})

/** In seconds from now. */
const dates = (from: number, to: number) => ({
  notBefore: new Date(now + from * 1000),
  notAfter: new Date(now + to * 1000),
})

async function bundle(options: LeafOptions = {}, published: readonly TestCertificate[] = [ca]): Promise<Bundle> {
  return bundleOf(await ca.issue({ commonName: wanted, ...options }), published)
}

beforeAll(async () => {
  ca = await createCa({ commonName: 'Vault', notBefore: new Date(now - 10 * hour) })
  otherCa = await createCa({ commonName: 'Other', notBefore: new Date(now - 10 * hour) })
})

interface Case {
  readonly what: string
  readonly make: () => Promise<Bundle>
  readonly judged?: () => Promise<Partial<GateContext>>
  readonly code: ReasonCode | undefined
  readonly detail?: RegExp
}

const cases: readonly Case[] = [
  { what: 'a good bundle', make: () => bundle(), code: undefined },
  {
    what: 'a key of the same type that is not its own',
    make: async () => bundleOf(await ca.issue({ commonName: wanted }), [ca], [], await createKeyPair()),
    code: 'key-mismatch',
    detail: /^the ec key is not the one of the certificate \(ec\)$/,
  },
  {
    what: 'a key of another type',
    make: async () => bundleOf(await ca.issue({ commonName: wanted }), [ca], [], await createKeyPair('rsa')),
    code: 'key-mismatch',
    detail: /^the rsa key is not the one of the certificate \(ec\)$/,
  },
  {
    what: 'a damaged secret half beside the right public half',
    make: async () => {
      const leaf = await ca.issue({ commonName: wanted })
      return bundleOf(leaf, [ca], [], { privateKeyPem: withDamagedSecret(leaf.privateKeyPem) })
    },
    code: 'key-mismatch',
  },
  {
    what: 'another CA',
    make: () => bundle({}, [otherCa]),
    code: 'untrusted-chain',
    detail: /^issued by CN=Vault; the CA set holds CN=Other$/,
  },
  {
    what: 'no CA at all',
    make: () => bundle({}, []),
    code: 'untrusted-chain',
    detail: /the CA set holds nothing$/,
  },
  {
    what: 'an expired CA',
    make: async () => {
      const expired = await createCa({ commonName: 'Expired', ...dates(-7200, -3600) })
      return bundleOf(await expired.issue({ commonName: wanted }), [expired])
    },
    code: 'untrusted-chain',
  },
  {
    what: 'an intermediate that is missing',
    make: async () => {
      const intermediate = await createCa({ commonName: 'Intermediate', issuer: ca })
      return bundleOf(await intermediate.issue({ commonName: wanted }), [ca])
    },
    code: 'untrusted-chain',
    detail: /^issued by CN=Intermediate; the CA set holds CN=Vault$/,
  },
  {
    what: 'an intermediate that is there',
    make: async () => {
      const intermediate = await createCa({ commonName: 'Intermediate', issuer: ca })
      return bundleOf(await intermediate.issue({ commonName: wanted }), [ca], [intermediate])
    },
    code: undefined,
  },
  {
    what: "another node's name",
    make: () => bundle({ commonName: 'calico-node:node2' }),
    code: 'wrong-name',
    detail: /^the certificate is for "calico-node:node2", wanted is "calico-node:node1"$/,
  },
  { what: 'the name in upper case', make: () => bundle({ commonName: 'calico-node:NODE1' }), code: 'wrong-name' },
  { what: 'the name with a space behind it', make: () => bundle({ commonName: `${wanted} ` }), code: 'wrong-name' },
  {
    what: 'no name',
    make: async () => bundleOf(await ca.issue({ dnsNames: [wanted.replace(':', '.')] }), [ca]),
    code: 'wrong-name',
    detail: /^the certificate is for "\(empty\)", wanted is/,
  },
  {
    what: 'a name of more than 64 characters',
    make: () => bundle({ commonName: 'n'.repeat(100) }),
    judged: () => Promise.resolve({ commonName: 'n'.repeat(100) }),
    code: undefined,
  },
  {
    what: 'a certificate for servers',
    make: () => bundle({ server: true }),
    code: 'not-client-auth',
    detail: /^its extended key usage is 1\.3\.6\.1\.5\.5\.7\.3\.1$/,
  },
  {
    what: 'a certificate without extended key usage',
    make: () => bundle({ client: false }),
    code: 'not-client-auth',
    detail: /is empty$/,
  },
  { what: 'a beginning 2 s from now, within the tolerance', make: () => bundle(dates(2, 3600)), code: undefined },
  {
    what: 'a beginning 3 s from now',
    make: () => bundle(dates(3, 3600)),
    code: 'not-yet-valid',
    detail: /^valid from 20.*Z, 3 s from now$/,
  },
  { what: 'an end 1 s ago', make: () => bundle(dates(-3600, -1)), code: 'expired', detail: /^valid until 20.*Z$/ },
  { what: 'an end just now', make: () => bundle(dates(-3600, 0)), code: 'expired' },
  { what: 'just enough lifetime', make: () => bundle(dates(-30, 60)), code: undefined },
  {
    what: 'a second too little lifetime',
    make: () => bundle(dates(-30, 59)),
    code: 'lifetime-too-short',
    detail: /^59 s are left, at least 60 s are needed$/,
  },
  {
    what: 'a CA set that has lost a CA in use',
    make: () => bundle(),
    judged: async () => ({ live: [bundleOf(await otherCa.issue(), [otherCa, ca])] }),
    code: 'ca-lost',
    detail: /^CN=Other \(serial [0-9A-F]+\) is missing$/,
  },
  {
    what: 'a CA set that still holds a CA in use',
    make: () => bundle({}, [ca, otherCa]),
    judged: async () => ({ live: [bundleOf(await otherCa.issue(), [otherCa])] }),
    code: undefined,
  },
  {
    what: 'a CA set that has lost the CA of an expired certificate',
    make: () => bundle(),
    judged: async () => ({ live: [bundleOf(await otherCa.issue(dates(-3600, -1)), [otherCa])] }),
    code: undefined,
  },
]

test.each(cases)('$what: $code', async ({ make, judged, code, detail }) => {
  const rejection = judge(await make(), context(await judged?.()))
  expect(rejection?.code).toBe(code)
  expect(rejection?.detail ?? '').toMatch(detail ?? (code === undefined ? /^$/ : /^.+$/))
})

test('every reason of the gate is reached by a test', () => {
  // What etcd itself says is no check of the candidate: test/integration/etcd-probe.
  const gateReasons = Object.entries(reasons).flatMap(([code, { about }]) =>
    about === 'gate' && !isProbeCode(code) ? [code] : [],
  )
  // What does not parse never becomes a bundle: the test below, and test/unit/pki/bundle.test.ts.
  const reached = new Set<string | undefined>(['malformed', 'ca-unusable', ...cases.map(({ code }) => code)])
  expect(gateReasons.filter((code) => !reached.has(code))).toEqual([])
  expect(gateReasons.length).toBeGreaterThanOrEqual(9)
})

test('what does not parse is refused before everything else', () => {
  const garbage = { certificate: 'garbage', key: new Secret('garbage'), ca: 'garbage' }
  expect(() => parseBundle(garbage, 'the answer')).toThrow(expect.objectContaining({ code: 'malformed' }))
})

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

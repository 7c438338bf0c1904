import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { expect, test } from 'vitest'
import { type ReasonCode, reasons } from '../../../../agent/core/reason-catalog.ts'
import { Secret } from '../../../../agent/core/secret.ts'
import { type Bundle, parseBundle } from '../../../../agent/pki/bundle.ts'
import { type GateContext, judge } from '../../../../agent/sidecar/gate/gate.ts'
import { isProbeCode } from '../../../../agent/sidecar/gate/probe/outcome.ts'
import { createCa, createKeyPair } from '../../../support/certificates.ts'
import { withDamagedSecret } from '../../../support/damaged.ts'
import { bundleOf } from '../../pki/parsed.ts'
import { bundle, ca, context, dates, otherCa, wanted } from './gate-rig.ts'

interface Case {
  readonly what: string
  readonly make: () => Promise<Bundle>
  readonly judged?: () => Promise<Partial<GateContext>>
  readonly code: ReasonCode | undefined
  readonly detail?: RegExp
}

type Pair = KeyPairKeyObjectResult

/** Those without a detail are known to Go too. */
const unsupported: readonly (readonly [what: string, pair: () => Pair, detail: RegExp | undefined])[] = [
  ['Ed448', () => generateKeyPairSync('ed448'), /^its key is of the type ed448$/],
  ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }), /^its key is of the type rsa-pss$/],
  ['512 bits of RSA', () => generateKeyPairSync('rsa', { modulusLength: 512 }), /^its RSA key has 512 bits$/],
  ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), /^its curve is secp256k1$/],
  ['P-224', () => generateKeyPairSync('ec', { namedCurve: 'secp224r1' }), /^its curve is secp224r1$/],
  [
    'P-256 written out',
    () => generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' }),
    /^its curve prime256v1 is not named$/,
  ],
  ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' }), undefined],
  ['2048 bits of RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), undefined],
  ['Ed25519', () => generateKeyPairSync('ed25519'), undefined],
]

async function bundleFor({ publicKey, privateKey }: Pair): Promise<Bundle> {
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return bundleOf(await ca.issue({ commonName: wanted, publicKeyPem }), [ca], [], { privateKeyPem })
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
  ...unsupported.map(
    ([what, pair, detail]): Case => ({
      what: `a key of Node and not of Go: ${what}`,
      make: () => bundleFor(pair()),
      code: detail === undefined ? undefined : 'key-unsupported',
      ...(detail && { detail }),
    }),
  ),
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
  expect(gateReasons.length).toBeGreaterThanOrEqual(10)
})

test('what does not parse is refused before everything else', () => {
  const garbage = { certificate: 'garbage', key: new Secret('garbage'), ca: 'garbage' }
  expect(() => parseBundle(garbage, 'the answer')).toThrow(expect.objectContaining({ code: 'malformed' }))
})

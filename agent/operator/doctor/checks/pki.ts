/** Owns the checks of the PKI mount: its issuers, what its role makes of our request, and the phase of a CA rotation. */
import type { X509Certificate } from 'node:crypto'
import { isoTime } from '../../../core/clock.ts'
import { formatDuration } from '../../../core/duration.ts'
import { reasons } from '../../../core/reason-catalog.ts'
import type { Bundle } from '../../../pki/bundle.ts'
import { caPhases, findCaPhase } from '../../../pki/ca-phase.ts'
import { describeName, isIssuedBy, validityOf } from '../../../pki/certificate.ts'
import { type GateContext, judge } from '../../../sidecar/gate/gate.ts'
import type { AgentEvent } from '../../../sidecar/observe/events.ts'
import {
  adviceFor,
  type Check,
  failure,
  hasCode,
  type KnownRefusals,
  ok,
  skipped,
  type Verdict,
  verdictOf,
  warning,
} from '../check.ts'

export const issuers: Check = {
  id: 'issuers',
  where: 'pki',
  title: 'issuers of the PKI mount',
  needs: ['vault-state'],
  run: async ({ issuers: read, config, events, now }) => {
    try {
      const found = await read()
      return withUnusable(judgeIssuers(found, config.pki, now()), events)
    } catch (error) {
      // Issuers need no token: to whoever shows none, Vault does not tell a missing mount from a closed path.
      return verdictOf(error, hasCode(error, 'vault-denied') ? noMountAdvice : undefined)
    }
  },
}

/** What reading the issuers has told of those that are left out. */
export function withUnusable(verdict: Verdict, events: readonly AgentEvent[]): Verdict {
  const told = events.flatMap((event) =>
    event.type === 'ca-refresh-failed' && event.reason === 'ca-unusable' ? [event.detail] : [],
  )
  if (told.length === 0 || verdict.status === 'failure') return verdict
  return warning([verdict.saw, ...new Set(told)].join('\n'), reasons['ca-unusable'].advice, 'ca-unusable')
}

const noMountAdvice =
  'Enable a PKI engine at this path and make an issuer in it, or name the right one in AGENT_PKI_MOUNT.'

export function judgeIssuers(
  found: readonly X509Certificate[],
  { mount, ttlSeconds }: { readonly mount: string; readonly ttlSeconds: number },
  nowMs: number,
): Verdict {
  if (found.length === 0) return failure(`${mount} has no issuer`, 'vault-not-found', noMountAdvice)
  const left = (each: X509Certificate): number => validityOf(each).notAfterMs - nowMs
  const saw = found
    .map(
      (each) =>
        `${describeName(each.subject)}, ${left(each) > 0 ? `valid for ${formatDuration(left(each))}` : 'expired'}`,
    )
    .join('\n')
  const rotate = 'Rotate the CA (docs/ca-rotation.md): certificates cannot outlive their issuer.'
  if (!found.some((each) => left(each) > 0)) return failure(saw, 'expired', rotate)
  const [ending] = found
    .filter((each) => left(each) > 0 && left(each) < Math.max(yearMs, ttlSeconds * 1000 * 30))
    .toSorted((one, other) => left(one) - left(other))
  if (ending === undefined) return ok(saw)
  return warning(saw, `${limitText(ending, ttlSeconds * 1000, nowMs)} ${rotate}`, 'lifetime-too-short')
}

/** A new CA takes months to reach everybody who verifies by hand. */
const yearMs = 365 * 86_400_000

function limitText(ending: X509Certificate, ttlMs: number, nowMs: number): string {
  const limitMs = validityOf(ending).notAfterMs - ttlMs
  const name = describeName(ending.subject)
  return limitMs > nowMs
    ? `From ${isoTime(limitMs).slice(0, 10)} on, certificates of ${name} live shorter than AGENT_TTL.`
    : `Certificates of ${name} already live shorter than AGENT_TTL.`
}

export const signing: Check = {
  id: 'signing',
  where: 'pki',
  title: 'signing a test certificate',
  each: 'target',
  needs: ['credential', 'login', 'issuers', 'etcd-ca'],
  run: async ({ signs, obtain, gateContext, config }, target) => {
    if (!signs) return skipped('--no-sign')
    try {
      return judgeSigned(await obtain(target), config.pki.ttlSeconds, gateContext(target))
    } catch (error) {
      const isRefused = hasCode(error, 'vault-request-refused', 'vault-server-error')
      return verdictOf(error, isRefused ? adviceFor(error, refusals) : undefined)
    }
  },
}

export const delivered: Check = {
  id: 'delivered',
  where: 'delivered',
  title: 'the certificate in the source',
  each: 'target',
  needs: ['login', 'etcd-ca'],
  run: async ({ obtain, gateContext }, target) => judgeDelivered(await obtain(target), gateContext(target)),
}

export function judgeDelivered(bundle: Bundle, context: GateContext): Verdict {
  const rejection = judge(bundle, context)
  if (rejection !== undefined) return failure(rejection.detail, rejection.code)
  return ok(`CN=${context.commonName}, valid for ${formatDuration(validityOf(bundle.leaf).notAfterMs - context.nowMs)}`)
}

/** The certificate passes the agent's own gate, and is granted about what was asked for. */
export function judgeSigned(bundle: Bundle, ttlSeconds: number, context: GateContext): Verdict {
  const rejection = judge(bundle, context)
  if (rejection !== undefined) return failure(rejection.detail, rejection.code)
  const { leaf } = bundle
  const grantedMs = validityOf(leaf).notAfterMs - context.nowMs
  const saw = `CN=${context.commonName}, ${leaf.publicKey.asymmetricKeyType ?? ''} key, valid for ${formatDuration(grantedMs)}`
  // Whole seconds, and the time that has passed since.
  if (grantedMs >= ttlSeconds * 900) return ok(saw)
  return warning(
    `${saw}; AGENT_TTL asks for ${formatDuration(ttlSeconds * 1000)}`,
    'Raise max_ttl of the PKI role, or lower AGENT_TTL to what it grants; look at the expiry of the issuer too.',
    'lifetime-too-short',
  )
}

/** Vault's refusals to sign, by its own words, and what is behind each. */
const refusals: KnownRefusals = [
  [/role requires keys of type|key type|bits/i, 'Make AGENT_KEY_TYPE and key_type, key_bits of the PKI role the same.'],
  [
    /common name .*not allowed|not allowed by this role/i,
    'Compare AGENT_COMMON_NAME with allowed_domains of the PKI role: by the recommended set-up it is COMPONENT:{{identity.entity.aliases.ACCESSOR.name}} of this auth mount.',
  ],
  [/unknown role/i, 'Create this role in the PKI mount, or name an existing one in AGENT_PKI_ROLE.'],
  [/cannot satisfy request|notAfter|ttl/i, 'Look at the expiry of the issuer: a certificate cannot outlive it.'],
]

export const caRotation: Check = {
  id: 'ca-rotation',
  where: 'pki',
  title: 'phase of a CA rotation',
  each: 'target',
  needs: ['signing', 'published'],
  run: async ({ issuers: read, obtain, published, etcdCa, now }, target) => {
    const bundle = published(target)
    if (bundle === undefined) return skipped('nothing is published yet')
    const [listed, { leaf: signed }] = [await read(), await obtain(target)]
    const signer = listed.find((issuer) => isIssuedBy(signed, issuer))
    if (signer === undefined) return skipped('the mount does not list the issuer that signs')
    const view = { ...bundle, issuers: listed, defaultIssuer: signer, etcdCa: etcdCa() }
    const { phase, concerns } = findCaPhase(view, now())
    const about = concerns.map((each) => `: ${describeName(each.subject)} (serial ${each.serialNumber})`).join('')
    const { summary, advice } = caPhases[phase]
    return { ...ok(`${phase}: ${summary}${about}`), advice: phase === 'steady' ? undefined : advice }
  },
}

/** Owns what the fleet is put through, and what is expected of it. */
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'

const hourMs = 3_600_000

export interface Fleet {
  readonly nodes: number
  readonly components: readonly string[]
  readonly ttlMs: number
  /** How long before its issue a certificate is valid: Vault's `not_before_duration`. */
  readonly backdatingMs: number
  readonly renewAt: number
  /** How often the kubelet replaces the service-account token of a node: at 0.8 of its life, 600 s at least. */
  readonly tokenEveryMs: number
  readonly seed: number
}

export interface Outage {
  /** Since the start of the fleet. */
  readonly atMs: number
  /** How long it lasts, or how long before the first certificate expires it ends. */
  readonly ends: { readonly afterMs: number } | { readonly beforeExpiryMs: number }
}

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly lengthMs: number
  readonly outage?: Outage
  /** How Vault answers while it is down. Default: not at all. */
  readonly failure?: ReasonCode
  /** More in a second are answered 429 with `Retry-After: 1`. */
  readonly signsPerSecond?: number
  readonly targets: readonly Target[]
}

/** A figure of measure.ts and what it may be at most. */
export type Target = readonly [figure: 'peakRatio' | 'longestWaitMinutes' | 'expired', most: number]

export const defaultFleet: Fleet = {
  nodes: 10_000,
  components: ['calico-node', 'calico-cni'],
  ttlMs: 24 * hourMs,
  backdatingMs: 30_000,
  renewAt: 0.65,
  tokenEveryMs: 480_000,
  seed: 1,
}

/** Every node starts within these, as after a power cut. */
export const massStartMs = 5000

const outageAtMs = 48 * hourMs
const afterOutageMs = 36 * hourMs
const outage = (name: string, title: string, ends: Outage['ends'], targets: Scenario['targets']): Scenario => {
  const longestMs = 'afterMs' in ends ? ends.afterMs : 24 * hourMs
  const lengthMs = outageAtMs + longestMs + afterOutageMs
  return { name, title, lengthMs, outage: { atMs: outageAtMs, ends }, targets }
}

const safe: readonly Target[] = [
  ['longestWaitMinutes', 60],
  ['expired', 0],
]

export const scenarios: readonly Scenario[] = [
  {
    name: 'massStart',
    title: 'Mass start, then four days',
    lengthMs: 96 * hourMs,
    targets: [['peakRatio', 1.5], ...safe],
  },
  outage('outage1h', 'Vault down for 1 hour', { afterMs: hourMs }, [['peakRatio', 5], ...safe]),
  outage('outage4h', 'Vault down for 4 hours', { afterMs: 4 * hourMs }, [['peakRatio', 5], ...safe]),
  {
    ...outage('refused4h', 'Vault refuses every login for 4 hours', { afterMs: 4 * hourMs }, [
      ['peakRatio', 5],
      ...safe,
    ]),
    failure: 'vault-login-refused',
  },
  outage('outage8h', 'Vault down for 8 hours', { afterMs: 8 * hourMs }, safe),
  outage('lastMoment', 'Vault back 30 min before the first expiry', { beforeExpiryMs: hourMs / 2 }, safe),
  {
    name: 'smallVault',
    title: 'Mass start on a Vault that signs 20 a second',
    lengthMs: 36 * hourMs,
    signsPerSecond: 20,
    targets: [['peakRatio', 1.5], ...safe],
  },
]

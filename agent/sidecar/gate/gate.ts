/** Owns the order of the checks and the verdict: nothing is published that has not passed here. */
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Bundle } from '../../pki/bundle.ts'
import {
  type Check,
  chainsToPublishedCa,
  type GateContext,
  hasBegun,
  hasNotExpired,
  hasWantedName,
  keepsNeededCa,
  keyMatches,
  livesLongEnough,
  loadsInGo,
  mayAuthenticateClients,
} from './checks.ts'

/** First the checks that say what a bundle is, then those that say when it is good, then what it would take away. */
const checks: readonly (readonly [ReasonCode, Check])[] = [
  ['key-mismatch', keyMatches],
  ['key-unsupported', loadsInGo],
  ['untrusted-chain', chainsToPublishedCa],
  ['wrong-name', hasWantedName],
  ['not-client-auth', mayAuthenticateClients],
  ['not-yet-valid', hasBegun],
  ['expired', hasNotExpired],
  ['lifetime-too-short', livesLongEnough],
  ['ca-lost', keepsNeededCa],
]

export interface Rejection {
  readonly code: ReasonCode
  readonly detail: string
}

/** The first check that fails, or undefined: the candidate may be published. */
export function judge(
  candidate: Bundle,
  context: GateContext,
  without: readonly ReasonCode[] = [],
): Rejection | undefined {
  for (const [code, check] of checks) {
    if (without.includes(code)) continue
    const detail = check(candidate, context)
    if (detail !== undefined) return { code, detail }
  }
  return undefined
}

/** @throws AgentError with the rejection */
export function requirePass(candidate: Bundle, context: GateContext, without: readonly ReasonCode[] = []): void {
  const rejection = judge(candidate, context, without)
  if (rejection !== undefined) throw new AgentError(rejection.code, rejection.detail)
}

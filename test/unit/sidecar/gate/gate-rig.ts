/** Owns what the tests of the gate share: two authorities, bundles of any kind, and what they are judged against. */

import type { Bundle } from '../../../../agent/pki/bundle.ts'
import type { GateContext } from '../../../../agent/sidecar/gate/gate.ts'
import { createCa, type LeafOptions, type TestCertificate } from '../../../support/certificates.ts'
import { bundleOf } from '../../pki/parsed.ts'

export const wanted = 'calico-node:node1'
export const now = Math.floor(Date.now() / 1000) * 1000
const hour = 3_600_000
export const ca = await createCa({ commonName: 'Vault', notBefore: new Date(now - 10 * hour) })
export const otherCa = await createCa({ commonName: 'Other', notBefore: new Date(now - 10 * hour) })

export const context = (changes: Partial<GateContext> = {}): GateContext => ({
  nowMs: now,
  clocks: { earliestMs: now, latestMs: now },
  commonName: wanted,
  minLifetimeMs: 60_000,
  live: [],
  ...changes,
})

/** In seconds from now. */
export const dates = (from: number, to: number) => ({
  notBefore: new Date(now + from * 1000),
  notAfter: new Date(now + to * 1000),
})

export async function bundle(options: LeafOptions = {}, published: readonly TestCertificate[] = [ca]): Promise<Bundle> {
  return bundleOf(await ca.issue({ commonName: wanted, ...options }), published)
}

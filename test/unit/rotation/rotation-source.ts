/** Owns the source of the rotation's tests: it signs with test authorities, or reads what the test has put there. */
import { X509Certificate } from 'node:crypto'
import { AgentError } from '../../../agent/errors.ts'
import { createBundle } from '../../../agent/pki/bundle.ts'
import { createDeliveredSource, type Delivered } from '../../../agent/source/delivered.ts'
import { lookEveryMs, newsOf } from '../../../agent/source/pki.ts'
import type { BundleSource, Candidate } from '../../../agent/source/source.ts'
import type { MountIssuers } from '../../../agent/vault/client.ts'
import type { Rig } from './rotation-rig.ts'

export interface TestSourceOptions extends Pick<Rig, 'calls' | 'vault' | 'there' | 'candidate'> {
  readonly isDelivered: boolean
}

export function createTestSource({ isDelivered, calls, vault, there, candidate }: TestSourceOptions): BundleSource {
  async function answer<Result>(call: 'obtain' | 'look', make: () => Promise<Result> | Result): Promise<Result> {
    calls.push(call)
    await vault.before()
    if (vault.failure !== undefined) throw vault.failure
    return await make()
  }

  if (isDelivered) {
    const read = (): Promise<Delivered> => answer('look', () => textsOf(there.candidate))
    return createDeliveredSource({ read, isLocal: false, pollMs: 300_000 })
  }
  const issuers = (): MountIssuers => {
    const certificates = vault.issuers.map(({ certificatePem }) => new X509Certificate(certificatePem))
    return { certificates: new Map(certificates.map((each) => [each.fingerprint256, each])), unusable: [] }
  }
  return {
    makes: true,
    isLocal: false,
    lookEveryMs,
    obtain: (_wanted, key) => answer('obtain', () => candidate(vault.signer, vault.leaf, key)),
    look: ({ published }) => answer('look', () => newsOf(issuers(), published)),
  }
}

function textsOf(candidate: Candidate | undefined): Delivered {
  if (candidate === undefined) throw new AgentError('source-empty', 'there: nothing')
  const { leaf, intermediates, key, issuers } = candidate
  const { certificate, key: secret, ca } = createBundle({ leaf, intermediates, key, ca: issuers }).text
  return { certificate, key: secret, ca, nameOf: (part) => `there: ${part}` }
}

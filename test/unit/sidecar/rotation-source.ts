/** Owns the source of the rotation's tests: it signs with test authorities, or reads what the test has put there. */
import { X509Certificate } from 'node:crypto'
import { AgentError } from '../../../agent/core/errors.ts'
import { createBundle } from '../../../agent/pki/bundle.ts'
import { createInputReader, type InputOptions, type ReadInputs } from '../../../agent/sidecar/inputs.ts'
import { createDeliveredSource, type Delivered } from '../../../agent/sidecar/source/delivered.ts'
import { pollEveryMs, updateFor } from '../../../agent/sidecar/source/pki.ts'
import type { BundleSource, Candidate } from '../../../agent/sidecar/source/source.ts'
import type { MountIssuers } from '../../../agent/vault/client.ts'
import type { Rig, RigOptions } from './rotation-rig.ts'

export interface TestSourceOptions extends Pick<Rig, 'calls' | 'vault' | 'there' | 'candidate'> {
  readonly isDelivered: boolean
}

export function createTestSource({ isDelivered, calls, vault, there, candidate }: TestSourceOptions): BundleSource {
  async function answer<Result>(call: 'obtain' | 'poll', make: () => Promise<Result> | Result): Promise<Result> {
    calls.push(call)
    await vault.before()
    if (vault.failure !== undefined) throw vault.failure
    return await make()
  }

  if (isDelivered) {
    const read = (): Promise<Delivered> => answer('poll', () => textsOf(there.candidate))
    return createDeliveredSource({ read, pollMs: 300_000 })
  }
  const issuers = (): MountIssuers => {
    const certificates = vault.issuers.map(({ certificatePem }) => new X509Certificate(certificatePem))
    return { certificates: new Map(certificates.map((each) => [each.fingerprint256, each])), unusable: [] }
  }
  return {
    issues: true,
    pollEveryMs,
    obtain: (_wanted, key) => answer('obtain', () => candidate(vault.signer, vault.leaf, key)),
    poll: ({ published }) => answer('poll', () => updateFor(issuers(), published)),
  }
}

function textsOf(candidate: Candidate | undefined): Delivered {
  if (candidate === undefined) throw new AgentError('source-empty', 'there: nothing')
  const { leaf, intermediates, key, issuers } = candidate
  const { certificate, key: secret, ca } = createBundle({ leaf, intermediates, key, ca: issuers }).text
  return { certificate, key: secret, ca, nameOf: (part) => `there: ${part}` }
}

const noFiles: InputOptions['config'] = { auth: undefined, vault: undefined, etcdCaFile: undefined }

/** What a change of may end a wait: the files of the test, and the CA certificates that it says etcd's servers have. */
export function createTestInputs(
  { inputs: config = noFiles, etcdCaFromFile = false }: RigOptions,
  directory: string,
  etcd: Rig['etcd'],
  source: () => string,
): ReadInputs {
  const readFiles = createInputReader({ config, directory, source })
  if (etcdCaFromFile) return readFiles
  return (inputs) => ({ ...readFiles(inputs), ...(inputs.includes('etcd-ca') ? { 'etcd-ca': stateOfCa(etcd) } : {}) })
}

function stateOfCa({ ca }: Rig['etcd']): string {
  try {
    return ca()
      .map(({ fingerprint256 }) => fingerprint256)
      .join()
  } catch {
    return 'unreadable'
  }
}

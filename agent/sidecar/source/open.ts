/** Owns what a configuration comes to: which source it names, the way to Vault behind it, and the names in the certificates. */

import type { Config, Target } from '../../config/config.ts'
import { renderTemplate, usesNodeUid } from '../../config/naming.ts'
import type { Clock } from '../../core/clock.ts'
import { firstFor } from '../../vault/addresses.ts'
import { createVaultApi } from '../../vault/client.ts'
import { readNodeUid } from '../../vault/credentials.ts'
import { createSession, type Session } from '../../vault/session.ts'
import type { SkewMeter } from '../../vault/skew.ts'
import type { TlsMaterial } from '../../vault/tls-files.ts'
import { createTransport, type Transport } from '../../vault/transport.ts'
import type { Listener } from '../observe/events.ts'
import { createFileSource } from './file.ts'
import { createKvSource } from './kv.ts'
import { createPkiSource } from './pki.ts'
import type { BundleSource } from './source.ts'

export interface SourceOptions {
  readonly config: Config
  readonly clock: Clock
  readonly skew: SkewMeter
  readonly emit: Listener
  readonly beforeConnect?: ((material: TlsMaterial) => void) | undefined
}

export interface OpenSource {
  readonly source: BundleSource
  /** Undefined if the source needs none. */
  readonly vault: { readonly session: Session; readonly transport: Transport } | undefined
  /** Keeps a token that was handed to us alive; undefined if there is none. @throws AgentError */
  readonly maintain: (() => Promise<void>) | undefined
  /** Ends every request at once, and every later one. */
  readonly close: () => void
}

export function openSource({ config, clock, skew, emit, beforeConnect }: SourceOptions): OpenSource {
  const { vault, auth, inlineAuth: inline, node, source: chosen } = config
  if (chosen.kind === 'file') {
    return { source: createFileSource(chosen), vault: undefined, maintain: undefined, close: () => {} }
  }
  if (vault === undefined || auth === undefined) throw new Error(`the source ${chosen.kind} needs Vault`)
  const first = firstFor(vault.origins, config.cluster, node)
  const transport = createTransport({ address: vault, first, clock, skew, emit, beforeConnect })
  const api = createVaultApi(transport, vault.namespace)
  const session = createSession({ auth, node, inline, api, clock, skew, emit })
  const access = { api, session, transport }
  return {
    source:
      chosen.kind === 'kv'
        ? createKvSource({ ...access, config: chosen, auth })
        : createPkiSource({ ...access, skew, clock, timeoutMs: vault.timeoutMs, config, emit }),
    vault: { session, transport },
    maintain: auth.method === 'token' ? () => session.maintain() : undefined,
    close: () => transport.destroy(),
  }
}

/** The common name that a target's certificate must have. @throws AgentError if it depends on a credential that cannot be read */
export function commonNameOf(config: Pick<Config, 'node' | 'cluster' | 'auth'>, target: Target): string {
  const { component, commonName: template } = target
  const { node, cluster, auth } = config
  const nodeUid = usesNodeUid(template) ? readNodeUid(auth) : undefined
  return renderTemplate(template, { component, node, cluster, nodeUid })
}

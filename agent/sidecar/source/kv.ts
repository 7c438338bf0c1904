/** Owns reading certificates that are made elsewhere from Vault's KV secrets engine, version 1 or 2. */
import type { Config } from '../../config/config.ts'
import { usesNodeUid } from '../../config/naming.ts'
import type { SourceConfig } from '../../config/source.ts'
import { AgentError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { VaultApi } from '../../vault/client.ts'
import { readNodeUid } from '../../vault/credentials.ts'
import type { Session } from '../../vault/session.ts'
import { holding, type Transport } from '../../vault/transport.ts'
import { createDeliveredSource, type Delivered, type Part } from './delivered.ts'
import type { BundleSource } from './source.ts'

export interface KvSourceOptions {
  readonly config: Extract<SourceConfig, { kind: 'kv' }>
  readonly api: Pick<VaultApi, 'readSecret'>
  readonly session: Pick<Session, 'use'>
  readonly transport: Pick<Transport, 'hold'>
  /** A path may hold what only the service-account token knows. */
  readonly auth: Config['auth']
}

export function createKvSource({ config, api, session, transport, auth }: KvSourceOptions): BundleSource {
  const { mount, version: engine, fields, pollMs, paths } = config

  return createDeliveredSource({
    pollMs,
    async read({ component }) {
      const template = paths[component] ?? ''
      const path = usesNodeUid(template) ? template.replaceAll('{node_uid}', readNodeUid(auth)) : template
      const request = { mount, path, engine }
      // One connection for login and read.
      const secret = await holding(transport, () => session.use((credentials) => api.readSecret(request, credentials)))
      const where = secret.version === undefined ? secret.path : `${secret.path}, version ${secret.version}`
      return { ...readParts(secret.data, fields, where), version: secret.version }
    },
  })
}

function readParts(
  data: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<Part, string | undefined>>,
  where: string,
): Delivered {
  const wanted = Object.values(fields).filter((field) => field !== undefined)
  const missing = wanted.filter((field) => textOf(data[field]) === undefined)
  if (missing.length > 0) {
    const there = Object.keys(data).toSorted().slice(0, 20).join(', ') || 'none'
    throw new AgentError(
      'source-incomplete',
      `${where}: no text in ${missing.join(', ')}; the fields there are ${there}`,
    )
  }
  const text = (part: Part): string => textOf(data[fields[part] ?? '']) ?? ''
  return {
    certificate: text('certificate'),
    key: new Secret(text('key')),
    ca: fields.ca === undefined ? undefined : text('ca'),
    nameOf: (part) => `${where}: ${fields[part] ?? part}`,
  }
}

/** A chain is often a list of texts, as Vault's own `ca_chain` is. */
function textOf(value: unknown): string | undefined {
  const text = Array.isArray(value) && value.every((each) => typeof each === 'string') ? value.join('\n') : value
  return typeof text === 'string' && text.trim() !== '' ? text : undefined
}

/** Owns `sys/`: health, seal, policies and quotas, next to the mounts. */

import { refusal } from './failure.ts'
import { durationField, flagField, listField, textField } from './fields.ts'
import type { Backend, Call, LogicalAnswer, Route } from './logical.ts'
import { isAllowed, parsePolicy } from './policies.ts'
import type { State } from './state.ts'
import { mountRoutes } from './sys-mounts.ts'

export function createSysBackend(state: State): Backend {
  return { routes: [...sealRoutes(state), ...policyRoutes(state), ...quotaRoutes(state), ...mountRoutes(state)] }
}

function sealRoutes(state: State): Route[] {
  return [
    { path: 'health', isUnauthenticated: true, read: ({ data }) => health(state, data) },
    { path: 'seal-status', isUnauthenticated: true, read: () => sealStatus(state) },
    {
      path: 'seal',
      update: () => {
        state.isSealed = true
        return undefined
      },
    },
    {
      path: 'unseal',
      isUnauthenticated: true,
      update: ({ data }) => {
        if (textField(data, 'key') !== state.unsealKey) throw refusal("'key' must be a valid hex or base64 string")
        state.isSealed = false
        return sealStatus(state)
      },
    },
  ]
}

const versions = { vault: '1.13.1', openbao: '2.6.2' } as const

function health(state: State, data: Call['data']): LogicalAnswer {
  const asked = textField(data, state.isSealed ? 'sealedcode' : 'activecode')
  const status = asked === '' ? (state.isSealed ? 503 : 200) : Number(asked)
  const body = {
    initialized: true,
    sealed: state.isSealed,
    standby: state.isSealed,
    performance_standby: false,
    replication_performance_mode: state.isSealed ? 'unknown' : 'disabled',
    replication_dr_mode: state.isSealed ? 'unknown' : 'disabled',
    server_time_utc: Math.floor(state.now() / 1000),
    version: versions[state.flavour],
  }
  return { status, raw: { contentType: 'application/json', body: `${JSON.stringify(body)}\n` } }
}

function sealStatus(state: State): LogicalAnswer {
  const version = versions[state.flavour]
  const body = {
    type: 'shamir',
    initialized: true,
    sealed: state.isSealed,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version,
  }
  return { raw: { contentType: 'application/json', body: `${JSON.stringify(body)}\n` } }
}

function policyRoutes(state: State): Route[] {
  const nameOf = ({ params }: Call): string => (params['name'] ?? '').toLowerCase()
  return [
    { path: 'policies/acl', list: () => ({ data: { keys: [...state.policies.keys()].toSorted() } }) },
    {
      path: 'policies/acl/:name',
      read: (call) => {
        const policy = state.policies.get(nameOf(call))
        return policy === undefined ? undefined : { data: { name: nameOf(call), policy } }
      },
      update: (call) => {
        const text = decodePolicy(textField(call.data, 'policy'))
        if (nameOf(call) === 'root') throw refusal('cannot update "root" policy')
        parsePolicy(text)
        state.policies.set(nameOf(call), text)
        return undefined
      },
      delete: (call) => void state.policies.delete(nameOf(call)),
    },
    { path: 'capabilities-self', update: (call) => capabilitiesSelf(state, call) },
  ]
}

function decodePolicy(text: string): string {
  if (text === '') throw refusal("'policy' parameter not supplied or empty")
  return /^[\w+/=\s]+$/.test(text) ? Buffer.from(text, 'base64').toString() : text
}

function capabilitiesSelf(state: State, { data, token, request }: Call): LogicalAnswer {
  const rules = (token?.policies ?? []).flatMap((name) => parsePolicyOf(state, name))
  const result = listField(data, 'paths').map((path): [string, string[]] => {
    if (token?.policies.includes('root') === true) return [path, ['root']]
    const operations = (['create', 'read', 'update', 'delete', 'list'] as const).filter((operation) => {
      const withoutParameters = rules.map((rule) => ({ ...rule, required: [], allowed: {}, denied: {} }))
      return isAllowed(withoutParameters, { ...request, operation, path, data: {} })
    })
    const isSudo = rules.some((rule) => rule.path === path && rule.capabilities.includes('sudo'))
    const all = [...operations, ...(isSudo ? ['sudo'] : [])]
    return [path, all.length === 0 ? ['deny'] : all]
  })
  const table = Object.fromEntries(result) as object
  return { data: table, topLevel: table }
}

function parsePolicyOf(state: State, name: string): ReturnType<typeof parsePolicy> {
  const text = state.policies.get(name) ?? ''
  return text === '' ? [] : parsePolicy(text)
}

function quotaRoutes(state: State): Route[] {
  const { quotas } = state
  const nameOf = ({ params }: Call): string => params['name'] ?? ''
  return [
    {
      path: 'quotas/config',
      update: ({ data }) => {
        quotas.hasHeaders = flagField(data, 'enable_rate_limit_response_headers')
        return undefined
      },
      read: () => ({
        data: { enable_rate_limit_audit_logging: false, enable_rate_limit_response_headers: quotas.hasHeaders },
      }),
    },
    {
      path: 'quotas/rate-limit/:name',
      read: (call) => {
        const rule = quotas.rules.get(nameOf(call))
        if (rule === undefined) return undefined
        const { name, path, rate, intervalSeconds: interval } = rule
        return { data: { block_interval: 0, interval, name, path, rate, role: '', type: 'rate-limit' } }
      },
      update: (call) => {
        const rate = Number(call.data['rate'] ?? 0)
        if (!(rate > 0)) throw refusal("'rate' is invalid")
        const intervalSeconds = durationField(call.data, 'interval', 1)
        quotas.rules.set(nameOf(call), {
          name: nameOf(call),
          path: textField(call.data, 'path'),
          rate,
          intervalSeconds,
        })
        return undefined
      },
      delete: (call) => void quotas.rules.delete(nameOf(call)),
    },
  ]
}

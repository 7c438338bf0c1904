/** Owns states of Vault and of agents for the tests of a CA rotation. */
import type {
  AgentsState,
  AgentView,
  ComponentView,
  Intent,
  Issuer,
  VaultState,
} from '../../../../agent/operator/ca-rotation/state.ts'

export const nowMs = Date.parse('2030-01-01T00:00:00Z')
export const hourMs = 3_600_000

export function issuer(name: string, more: Partial<Issuer> = {}): Issuer {
  return {
    id: `id-${name}`,
    name,
    fingerprint: `fp-${name}`,
    subject: `CA ${name}`,
    notAfterMs: nowMs + 10 * 365 * 24 * hourMs,
    canSign: true,
    above: [],
    ...more,
  }
}

export function vault(names: readonly string[], signs: string, more: Partial<VaultState> = {}): VaultState {
  return {
    mount: 'pki',
    issuers: names.map((name) => issuer(name)),
    defaultId: `id-${signs}`,
    followsLatest: false,
    maxTtlSeconds: 87_600 * 3600,
    pinnedRoles: [],
    ...more,
  }
}

/** @param uses until when each CA is needed; 0: it is only there */
export function target(uses: Readonly<Record<string, number>>, more: Partial<ComponentView> = {}): ComponentView {
  const ca = Object.entries(uses).map(([name, inUseUntilMs]) => ({
    fingerprint: `fp-${name}`,
    subject: `CA ${name}`,
    inUseUntilMs,
  }))
  return {
    component: 'calico-node',
    ca,
    caCount: ca.length,
    addedAtMs: nowMs - hourMs,
    changedSinceStart: false,
    isCopyInStep: undefined,
    isRefusedByEtcd: false,
    consumerStartedAtMs: undefined,
    ...more,
  }
}

export function agent(node: string, ...targets: readonly ComponentView[]): AgentView {
  return { where: `http://${node}:9879`, node, targets }
}

export function fleet(...agents: readonly AgentView[]): AgentsState {
  return { agents, silent: [], without: [] }
}

export const intent: Intent = {
  issuer: 'second',
  make: { commonName: 'CA second', ttlSeconds: 87_600 * 3600, keyType: 'ec-p256' },
  retire: ['first'],
  etcdTrustsNew: true,
}

/** Owns one event of every type, with canaries where a careless field could carry a secret; the compiler knows when one is missing. */
import type { AgentEvent, PublishedCertificate, TargetView } from '../../../../agent/sidecar/observe/events.ts'

type EventType = AgentEvent['type']

export const sampleNow = Date.parse('2026-11-21T12:00:00Z')
const hourMs = 3_600_000
const component = 'calico-node'

export const sampleCertificate: PublishedCertificate = {
  serialNumber: '3BDC',
  notBeforeMs: sampleNow - 30_000,
  notAfterMs: sampleNow + 24 * hourMs,
  renewAtMs: sampleNow + 16 * hourMs,
  ca: {
    count: 2,
    earliestExpiryMs: sampleNow + 1000 * hourMs,
    changedSinceStart: true,
    addedAtMs: sampleNow - hourMs,
    certificates: [
      { fingerprint: '0123456789abcdef', subject: 'old', inUseUntilMs: sampleNow + 24 * hourMs },
      { fingerprint: 'fedcba9876543210', subject: 'new', inUseUntilMs: 0 },
    ],
  },
}

export const sampleEvents: { readonly [Type in EventType]: Extract<AgentEvent, { type: Type }> } = {
  started: {
    type: 'started',
    version: '1.2.3',
    node: 'node1',
    authMethod: 'jwt',
    targets: [{ component, directory: '/calico-secrets', commonName: 'calico-node:node1' }],
  },
  listening: { type: 'listening', address: '0.0.0.0:9879' },
  'listen-failed': { type: 'listen-failed', detail: 'listen EADDRINUSE: address already in use 0.0.0.0:9879' },
  'long-name': { type: 'long-name', component, node: 'node1', commonName: 'n'.repeat(70), length: 70 },
  'vault-request': { type: 'vault-request', operation: 'sign', outcome: 'ok', durationMs: 12.3456 },
  'vault-address': {
    type: 'vault-address',
    address: 'https://vault-2:8200',
    instead: [{ reason: 'vault-sealed', detail: 'POST https://vault-1:8200/v1/pki/sign/calico-node: 503' }],
  },
  'clock-skew': { type: 'clock-skew', skewMs: -2500 },
  credential: { type: 'credential', expiresAtMs: sampleNow + hourMs },
  login: { type: 'login', method: 'jwt', mount: 'jwt', expiresAtMs: sampleNow + 900_000 },
  token: { type: 'token', expiresAtMs: sampleNow + 900_000 },
  issued: { type: 'issued', component, serialNumber: '3BDC', keyReused: false, reason: 'renewal-due' },
  state: {
    type: 'state',
    component,
    state: {
      certificate: sampleCertificate,
      failure: {
        reason: 'vault-sealed',
        detail: 'POST https://vault:8200/v1/auth/jwt/login: 503 Vault is sealed',
        atMs: sampleNow,
        firstAtMs: sampleNow - hourMs,
        retryAtMs: sampleNow + 5000,
      },
      verification: {
        isAccepted: false,
        reason: 'etcd-unheard',
        detail: 'https://10.0.0.1:2379: no answer within 4000 ms',
      },
      budget: { limit: 12, spentUntilMs: [sampleNow, sampleNow + 60_000] },
    },
  },
  found: { type: 'found', component, certificate: sampleCertificate },
  published: {
    type: 'published',
    component,
    reason: 'renewal-due',
    durationMs: 3.21987,
    certificate: sampleCertificate,
  },
  'renewal-failed': {
    type: 'renewal-failed',
    component,
    reason: 'vault-sealed',
    detail: 'POST https://vault:8200/v1/auth/jwt/login: 503 Vault is sealed',
    retryAtMs: sampleNow + 5000,
    notAfterMs: sampleNow + 2 * hourMs,
    lifetimeMs: 12 * hourMs,
  },
  probed: {
    type: 'probed',
    component,
    outcome: 'etcd-unheard',
    detail: 'https://10.0.0.1:2379: no answer within 4000 ms',
    verdict: 'unverified',
    durationMs: 4000.123,
  },
  recovered: { type: 'recovered', component },
  'ca-refresh-failed': { type: 'ca-refresh-failed', component, reason: 'vault-timeout', detail: 'GET x: no answer' },
  'fallback-failed': { type: 'fallback-failed', component, reason: 'expired', detail: '/state: valid until …' },
  'store-flaw': {
    type: 'store-flaw',
    component,
    reason: 'generation-stuck',
    detail: '/calico-secrets/..2026_11_21_00_00_00.000_0: EACCES: permission denied, rmdir',
  },
  'host-copied': {
    type: 'host-copied',
    component,
    path: '/host/etc/cni/net.d/calico-tls',
    written: true,
    serialNumber: '3BDC',
    notAfterMs: sampleNow + 24 * hourMs,
  },
  'host-copy-failed': {
    type: 'host-copy-failed',
    component,
    path: '/host/etc/cni/net.d/calico-tls',
    reason: 'directory-read-only',
    detail: '/host/etc/cni/net.d/calico-tls: EROFS: read-only file system, mkdir',
    retryAtMs: sampleNow + 2000,
    repeated: false,
  },
  'on-publish-done': {
    type: 'on-publish-done',
    component,
    action: 'program',
    durationMs: 12.3456,
    output: 'restarted',
  },
  'on-publish-failed': {
    type: 'on-publish-failed',
    component,
    action: 'signal',
    reason: 'on-publish-failed',
    detail: '/run/felix.pid names process 12: no such process runs',
    retryAtMs: sampleNow + 2000,
    repeated: false,
  },
  'watch-failed': { type: 'watch-failed', detail: 'ENOSPC: inotify' },
  heartbeat: { type: 'heartbeat', component, nextStepAtMs: sampleNow + 30_000 },
  stopped: { type: 'stopped', signal: 'SIGTERM' },
  'provision-nodes': { type: 'provision-nodes', count: 3 },
  'provision-source-reached': {
    type: 'provision-source-reached',
    source: 'Kubernetes at https://10.96.0.1:443',
    nodes: 3,
  },
  'provision-source-failed': {
    type: 'provision-source-failed',
    reason: 'kube-unreachable',
    detail: 'connect ECONNREFUSED 10.96.0.1:443',
    retryAtMs: sampleNow + 2000,
  },
  'provision-identity': { type: 'provision-identity', user: 'calico-provisioner', isFirst: false },
  'provision-identity-refused': {
    type: 'provision-identity-refused',
    reason: 'etcd-denied',
    detail: 'authStatus: denied',
  },
  'provision-node-departed': { type: 'provision-node-departed', node: 'node1', graceMs: hourMs },
  'provision-node-back': { type: 'provision-node-back', node: 'node1' },
  'provision-node-removed': { type: 'provision-node-removed', node: 'node1' },
  'provision-change': {
    type: 'provision-change',
    kind: 'add-user',
    text: { sign: '+', subject: 'user calico-node:node1', what: 'add', why: 'it is wanted' },
  },
  'provision-note': { type: 'provision-note', text: 'the user calico-node:node1 also has the role other' },
  'provision-held': { type: 'provision-held', why: 'list-empty', nodes: 2 },
  'provision-done': {
    type: 'provision-done',
    isFull: true,
    changes: 4,
    nodes: 3,
    pending: 1,
    held: 0,
    conflicts: 1,
    durationMs: 123.456,
  },
  'provision-failed': {
    type: 'provision-failed',
    reason: 'etcd-no-leader',
    detail: 'userAdd: etcdserver: no leader',
    retryAtMs: sampleNow + 2000,
  },
  'provision-heartbeat': { type: 'provision-heartbeat', nextStepAtMs: sampleNow + 30_000 },
}

/** A target that is as told, and of which nothing else is known. */
export function stateOf(state: Partial<TargetView>, name = component): AgentEvent {
  const unknown = { certificate: undefined, failure: undefined, verification: undefined, budget: undefined }
  return { type: 'state', component: name, state: { ...unknown, ...state } }
}

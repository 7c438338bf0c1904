import { expect, describe as group, test } from 'vitest'
import { type ReasonCode, reasons } from '../../../../agent/core/reason-catalog.ts'
import { describe } from '../../../../agent/sidecar/observe/describe.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Level } from '../../../../agent/sidecar/observe/log-line.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

const hourMs = 3_600_000
const lines: Readonly<Record<AgentEvent['type'], readonly [Level, RegExp] | undefined>> = {
  started: ['info', /^calico-vault-agent 1\.2\.3 on node1$/],
  listening: ['info', /^health and metrics on 0\.0\.0\.0:9879$/],
  'listen-failed': ['error', /EADDRINUSE.*; trying again\. Free the port, or set AGENT_LISTEN$/],
  'long-name': ['warn', /70 bytes, more than the 64/],
  'vault-request': ['debug', /^vault sign: ok$/],
  'vault-address': ['warn', /^Vault answers at https:\/\/vault-2:8200, not at the address before it$/],
  login: ['debug', /^logged in to Vault by jwt$/],
  token: ['debug', /^the Vault token is good$/],
  issued: ['info', /^calico-node: certificate issued \(renewal-due\)$/],
  found: ['info', /^calico-node: the certificate in place is good; valid for 1d, renewal in 16h$/],
  published: ['info', /^calico-node: published \(the renewal slot .* has come\); valid for 1d, renewal in 16h$/],
  'renewal-failed': [
    'warn',
    /^calico-node: Vault is sealed .*; the published certificate is kept, valid for 2h; next try in 5s\. /,
  ],
  probed: ['warn', /^calico-node: etcd could not be asked .*; published all the same\. Check ETCD_ENDPOINTS/],
  recovered: ['info', /^calico-node: what failed before has passed$/],
  'ca-refresh-failed': ['warn', /^calico-node: the source could not be looked at: Vault did not answer/],
  'fallback-failed': [
    'warn',
    /^calico-node: the cached or static certificate is of no use: the certificate has expired\. Check the clocks/,
  ],
  'store-flaw': ['warn', /^calico-node: an old generation of files cannot be removed\. Remove it by hand/],
  'host-copied': [
    'info',
    /^calico-node: the CNI plugin's copy in \/host\/etc\/cni\/net\.d\/calico-tls was brought in step$/,
  ],
  'host-copy-failed': [
    'warn',
    /^calico-node: the CNI plugin's copy is not in step: the file system is read-only; .* Mount/,
  ],
  'watch-failed': ['warn', /ENOSPC: inotify; they are looked at every 30 s/],
  stopped: ['info', /^stopped by SIGTERM$/],
  'provision-source-reached': ['info', /^3 nodes, told by Kubernetes at https:/],
  'provision-source-failed': [
    'warn',
    /^the nodes cannot be told: the Kubernetes API cannot be reached; next try in 2\.0s\. Check/,
  ],
  'provision-identity': ['info', /^etcd: connected again with the new certificate as calico-provisioner$/],
  'provision-identity-refused': ['warn', /^the new certificate for etcd is not used yet: etcd does not let/],
  'provision-node-departed': ['info', /^the node node1 is gone; its users stay for 1h$/],
  'provision-node-back': ['info', /^the node node1 is back and keeps its users$/],
  'provision-node-removed': ['info', /^the node node1 stayed away; its users are removed$/],
  'provision-change': ['info', /^user calico-node:node1: add \(it is wanted\)$/],
  'provision-note': ['warn', /also has the role other$/],
  'provision-held': ['warn', /^the users of 2 nodes are kept: the list of nodes is empty/],
  'provision-done': ['info', /^etcd: 4 changes, 3 nodes with users, in 0\.1s$/],
  'provision-failed': ['warn', /^etcd could not be brought in step: etcd has no leader.*; next try in 2\.0s\. Bring/],
  // Metrics tell them.
  'clock-skew': undefined,
  state: undefined,
  credential: undefined,
  heartbeat: undefined,
  'provision-nodes': undefined,
  'provision-heartbeat': undefined,
}

test.each(Object.values(sampleEvents))('$type', (event) => {
  const line = describe(event, sampleNow)
  const expected = lines[event.type]
  expect(line?.level).toBe(expected?.[0])
  expect(line?.message ?? '').toMatch(expected?.[1] ?? /^$/)
  expect(line?.message ?? '').not.toMatch(/undefined|NaN|\[object|[\r\n]/)
  expect(() => JSON.stringify(line)).not.toThrow()
})

test('fields are what the event says, times as ISO 8601, durations rounded', () => {
  expect(describe(sampleEvents.published, sampleNow)?.fields).toEqual({
    component: 'calico-node',
    reason: 'renewal-due',
    durationMs: 3.22,
    serialNumber: '3BDC',
    notBefore: '2026-11-21T11:59:30.000Z',
    notAfter: '2026-11-22T12:00:00.000Z',
    renewAt: '2026-11-22T04:00:00.000Z',
    caCount: 2,
    ca: ['0123456789abcdef old', 'fedcba9876543210 new'],
  })
  expect(describe(sampleEvents['renewal-failed'], sampleNow)?.fields).toEqual({
    component: 'calico-node',
    reason: 'vault-sealed',
    runbook: 'docs/runbook.md#vault-sealed',
    error: 'POST https://vault:8200/v1/auth/jwt/login: 503 Vault is sealed',
    retryAt: '2026-11-21T12:00:05.000Z',
    notAfter: '2026-11-21T14:00:00.000Z',
  })
})

group('a failure', () => {
  const kept = (notAfterMs: number | undefined, retryAtMs = sampleNow) =>
    describe({ ...sampleEvents['renewal-failed'], notAfterMs, retryAtMs }, sampleNow)

  test('with nothing published is an error', () => {
    expect(kept(undefined)).toMatchObject({
      level: 'error',
      message: expect.stringContaining('no certificate is published'),
    })
  })

  test('with an expired certificate is an error that shouts', () => {
    const line = kept(sampleNow - hourMs)
    expect(line).toMatchObject({ level: 'error', message: expect.stringContaining('EXPIRED 1h ago') })
  })

  const minuteMs = 60_000
  test.each<[string, number, number, Level]>([
    ['much', 24 * hourMs, 24 * hourMs, 'info'],
    ['a third', 24 * hourMs, 8 * hourMs, 'info'],
    ['less than a third', 24 * hourMs, 8 * hourMs - 1, 'warn'],
    ['a tenth', 24 * hourMs, 2.4 * hourMs, 'warn'],
    ['less than a tenth', 24 * hourMs, 2.4 * hourMs - 1, 'error'],
    ['a second', 24 * hourMs, 1000, 'error'],
    ['ten minutes of an hour', hourMs, 10 * minuteMs, 'warn'],
    ['less than ten minutes of an hour', hourMs, 10 * minuteMs - 1, 'error'],
    ['most of ten minutes', 10 * minuteMs, 9 * minuteMs, 'info'],
    ['less than a third of ten minutes', 10 * minuteMs, 3 * minuteMs, 'error'],
    ['nothing', 24 * hourMs, 0, 'error'],
  ])('with %s left', (_left, lifetimeMs, runwayMs, level) => {
    const event = { ...sampleEvents['renewal-failed'], notAfterMs: sampleNow + runwayMs, lifetimeMs }
    expect(describe(event, sampleNow)?.level).toBe(level)
  })

  test.each<[ReasonCode, Level]>([
    ['vault-login-refused', 'warn'],
    ['directory-full', 'warn'],
    ['etcd-unknown-user', 'warn'],
    ['vault-timeout', 'info'],
  ])('because of %s with much time left', (reason, level) => {
    const event = { ...sampleEvents['renewal-failed'], reason, notAfterMs: sampleNow + 12 * hourMs }
    expect(describe(event, sampleNow)?.level).toBe(level)
  })

  test('whose next try is over already says 0s', () => {
    expect(kept(sampleNow + hourMs, sampleNow - 1000)?.message).toContain('next try in 0s')
  })

  test.each(Object.keys(reasons) as ReasonCode[])('because of %s says what happened and what to do', (reason) => {
    const line = describe({ ...sampleEvents['renewal-failed'], reason }, sampleNow)
    expect(line?.message).toContain(reasons[reason].summary)
    expect(line?.message.endsWith(reasons[reason].advice)).toBe(true)
    expect(line?.fields['reason']).toBe(reason)
  })
})

test('a certificate that ends by our clock but not by that of Vault is told without nonsense', () => {
  const line = describe(sampleEvents.found, sampleNow + 30 * hourMs)
  expect(line?.message).toContain('renewal in 0s')
})

test.each([
  ['accepted', 'publish', /^calico-node: etcd accepts the certificate$/],
  // The event of what was kept tells it aloud.
  ['etcd-unknown-user', 'refuse', /^calico-node: etcd has no user with this common name/],
] as const)('a probe that ends with %s is told to those who debug', (outcome, verdict, message) => {
  const line = describe({ ...sampleEvents.probed, outcome, verdict }, sampleNow)
  expect(line).toMatchObject({ level: 'debug', message: expect.stringMatching(message) })
})

test('the host copy: that install-cni has not run yet is no alarm, and nothing is told aloud twice', () => {
  const absent = { ...sampleEvents['host-copy-failed'], reason: 'host-copy-absent' } as const
  expect(describe(absent, sampleNow)).toMatchObject({
    level: 'info',
    message: expect.stringMatching(/install-cni has not made the directory calico-tls/),
  })
  expect(describe({ ...sampleEvents['host-copy-failed'], repeated: true }, sampleNow)?.level).toBe('debug')
  expect(describe({ ...sampleEvents['host-copied'], written: false }, sampleNow)?.message).toMatch(/ is in step$/)
})

test('a CA set that etcd could not be verified with is told as what it is', () => {
  const line = describe({ ...sampleEvents['ca-refresh-failed'], reason: 'etcd-untrusted-server' }, sampleNow)
  expect(line?.message).toMatch(
    /^calico-node: the new set of CA certificates is not published as it is: the certificate/,
  )
})

import { beforeEach, describe, expect, test } from 'vitest'
import { reasons } from '../../../../agent/core/reason-catalog.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createHealth, type Health, type Probe } from '../../../../agent/sidecar/observe/health.ts'
import { createPresent, type Present } from '../../../../agent/sidecar/observe/present.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'
import { sampleCertificate, sampleEvents, sampleNow, stateOf } from './sample-events.ts'

const hourMs = 3_600_000
const timeoutMs = 10_000
const node = { component: 'calico-node', directory: '/calico-secrets', commonName: 'calico-node:node1' }
const cni = { component: 'calico-cni', directory: '/calico-secrets-cni', commonName: 'calico-cni:node1' }

let clock: FakeClock
let present: Present
let health: Health
beforeEach(() => {
  clock = createFakeClock(sampleNow)
  present = createPresent(['calico-node', 'calico-cni'], clock)
  health = createHealth([node, cni], present, clock, timeoutMs)
})

const tell = (event: AgentEvent): void => present.listener(event)
const published = (component: string): AgentEvent => stateOf({ certificate: sampleCertificate }, component)
const { failure, verification } = sampleEvents.state.state
const beat = (component: string): void => {
  tell({ type: 'heartbeat', component, nextStepAtMs: clock.now() + 30_000 })
}
const probes = (): string =>
  (['startupz', 'livez', 'readyz'] as Probe[]).filter((each) => health.probe(each).ok).join(' ')
const target = (index: number): Record<string, unknown> => {
  const { targets } = JSON.parse(JSON.stringify(health.probe('readyz').body))
  return targets[index]
}

describe('the phases of a life', () => {
  test('before the first certificate it is alive and nothing else', () => {
    expect(probes()).toBe('livez')
    expect(health.probe('readyz').body).toEqual({
      ok: false,
      targets: [
        { ...node, ready: false, alive: true, why: 'no certificate has been published' },
        { ...cni, ready: false, alive: true, why: 'no certificate has been published' },
      ],
    })
  })

  test('every target has to be there', () => {
    tell(published('calico-node'))
    expect(probes()).toBe('livez')
    tell(published('calico-cni'))
    expect(probes()).toBe('startupz livez readyz')
    expect(health.probe('readyz').body).toMatchObject({ ok: true, targets: [{ ready: true }, { ready: true }] })
  })

  test('a certificate that expires is no longer ready, but was started', () => {
    tell(published('calico-node'))
    tell(stateOf({ certificate: { ...sampleCertificate, notAfterMs: sampleNow + hourMs } }, 'calico-cni'))
    clock.advance(hourMs - 1)
    beat('calico-node')
    beat('calico-cni')
    expect(probes()).toBe('startupz livez readyz')
    clock.advance(1)
    expect(probes()).toBe('startupz livez')
    expect(target(0)).toMatchObject({ ready: true, runwaySeconds: 23 * 3600 })
    expect(target(0)).not.toHaveProperty('why')
    expect(target(1)).toMatchObject({ ready: false, runwaySeconds: 0, why: 'the published certificate has expired' })
    tell(published('calico-cni'))
    expect(probes()).toBe('startupz livez readyz')
  })
})

describe('a failure', () => {
  test('is named with what to do, while the certificate is good', () => {
    tell(stateOf({ certificate: sampleCertificate, failure }))
    expect(target(0)).toEqual({
      ...node,
      ready: true,
      alive: true,
      notAfter: '2026-11-22T12:00:00.000Z',
      runwaySeconds: 86_400,
      renewAt: '2026-11-22T04:00:00.000Z',
      failure: {
        reason: 'vault-sealed',
        says: reasons['vault-sealed'].summary,
        detail: failure?.detail,
        advice: 'Unseal Vault.',
        runbook: 'docs/runbook.md#vault-sealed',
        retryAt: '2026-11-21T12:00:05.000Z',
      },
    })
    expect(target(1)).not.toHaveProperty('failure')
    tell(published('calico-node'))
    expect(target(0)).not.toHaveProperty('failure')
  })

  test('of Vault is none of the life, however long', () => {
    for (let minute = 0; minute < 3 * 24 * 60; minute++) {
      tell(stateOf({ failure }))
      beat('calico-node')
      beat('calico-cni')
      clock.advance(60_000)
      if (!health.probe('livez').ok) throw new Error(`not alive after ${minute} minutes`)
    }
    expect(probes()).toBe('livez')
  })
})

describe('the heartbeat', () => {
  // Ten requests in a step, each as long as its deadline, and a minute.
  const patienceMs = 10 * timeoutMs + 60_000

  test('is waited for a step and a minute longer than it said', () => {
    beat('calico-node')
    beat('calico-cni')
    clock.advance(30_000 + patienceMs - 1)
    expect(health.probe('livez').ok).toBe(true)
    clock.advance(1)
    expect(health.probe('livez')).toMatchObject({ ok: false, body: { targets: [{ alive: false }, { alive: false }] } })
    beat('calico-node')
    expect(health.probe('livez')).toMatchObject({ ok: false, body: { targets: [{ alive: true }, { alive: false }] } })
    beat('calico-cni')
    expect(health.probe('livez').ok).toBe(true)
  })

  test('that never came at all', () => {
    clock.advance(patienceMs)
    expect(health.probe('livez').ok).toBe(false)
  })

  test.each([-48 * hourMs, 48 * hourMs])('does not care that the wall clock is set by %d ms', (jumpMs) => {
    beat('calico-node')
    beat('calico-cni')
    clock.setWall(clock.now() + jumpMs)
    expect(health.probe('livez').ok).toBe(true)
    clock.advance(30_000 + patienceMs)
    expect(health.probe('livez').ok).toBe(false)
  })
})

test('events of no target or of an unknown one change nothing', () => {
  const before = JSON.stringify(health.probe('readyz'))
  for (const event of Object.values(sampleEvents)) tell('component' in event ? { ...event, component: 'other' } : event)
  expect(JSON.stringify(health.probe('readyz'))).toBe(before)
})

test("the CNI plugin's copy is told beside the target; that it cannot be made at the start is not ready", () => {
  const { path, reason, detail } = sampleEvents['host-copy-failed']
  tell(published('calico-node'))
  expect(target(0)).not.toHaveProperty('hostCopy')
  // install-cni comes after the agent.
  tell({ ...sampleEvents['host-copy-failed'], reason: 'host-copy-absent' })
  expect(target(0)).toMatchObject({ ready: true, hostCopy: { inStep: false } })
  tell({ ...sampleEvents['host-copy-failed'], reason: 'directory-denied' })
  expect(target(0)).toMatchObject({ ready: false, hostCopy: { path, inStep: false } })
  expect(target(0)).not.toHaveProperty('why')
  tell(sampleEvents['host-copied'])
  expect(target(0)).toMatchObject({
    ready: true,
    hostCopy: { path, inStep: true, notAfter: '2026-11-22T12:00:00.000Z' },
  })
  // Later the alert tells: nothing is gained by taking a node that works out of a rollout.
  tell(sampleEvents['host-copy-failed'])
  expect(target(0)).toMatchObject({
    ready: true,
    hostCopy: {
      path,
      inStep: false,
      failure: { reason, detail, advice: expect.any(String), retryAt: '2026-11-21T12:00:02.000Z' },
    },
  })
})

test('what was published although etcd did not accept it is ready, and says why nobody knows', () => {
  tell(stateOf({ certificate: sampleCertificate, verification }))
  const unproven = { reason: 'etcd-unheard', detail: expect.stringMatching('no answer'), advice: expect.any(String) }
  expect(target(0)).toMatchObject({ ready: true, unproven })
  tell(stateOf({ certificate: sampleCertificate, verification: { isAccepted: true } }))
  expect(target(0)).not.toHaveProperty('unproven')
})

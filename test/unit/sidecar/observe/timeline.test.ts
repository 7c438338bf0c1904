import { describe, expect, it } from 'vitest'
import type { ReasonCode } from '../../../../agent/core/reason-catalog.ts'
import type { AgentEvent, PublishedCertificate } from '../../../../agent/sidecar/observe/events.ts'
import { createPresent } from '../../../../agent/sidecar/observe/present.ts'
import { addHappening, type Happening } from '../../../../agent/sidecar/observe/timeline.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const component = 'calico-node'
const ca = { count: 1, earliestExpiryMs: 0, changedSinceStart: false, addedAtMs: 0, certificates: [] }
const certificate: PublishedCertificate = { serialNumber: 'AB', notBeforeMs: 0, notAfterMs: 100, renewAtMs: 65, ca }
const published = (reason: ReasonCode): AgentEvent => ({
  type: 'published',
  component,
  reason,
  durationMs: 1,
  certificate,
})
const kept = (reason: ReasonCode): AgentEvent => ({
  type: 'renewal-failed',
  component,
  reason,
  detail: 'why',
  retryAtMs: 5,
  notAfterMs: undefined,
  lifetimeMs: undefined,
})

function timelineOf(...events: readonly AgentEvent[]): readonly Happening[] {
  return events.reduce<readonly Happening[]>((list, event) => addHappening(list, event, 0), [])
}

describe('the timeline', () => {
  const looked: AgentEvent = { type: 'ca-refresh-failed', component, reason: 'vault-sealed', detail: 'why' }
  const unproven: AgentEvent = {
    type: 'probed',
    component,
    outcome: 'etcd-unheard',
    detail: 'why',
    verdict: 'unverified',
    durationMs: 1,
  }

  it('a look at the source that failed again and again is one line, and no failure of a renewal', () => {
    const found = timelineOf(kept('vault-sealed'), looked, looked)
    expect(found).toMatchObject([{ what: 'look-failed', times: 2 }, { what: 'renewal-failed' }])
  })

  it('whatever fails by turns pushes nothing else out', () => {
    const outage = Array.from({ length: 100 }, () => [unproven, looked, unproven, kept('vault-sealed')]).flat()
    const found = timelineOf(published('never-published'), ...outage)
    expect(found).toMatchObject([
      { what: 'renewal-failed', times: 100 },
      { what: 'unproven', reason: 'etcd-unheard', times: 200 },
      { what: 'look-failed', times: 100 },
      { what: 'published' },
    ])
  })

  it('what fails anew after a success is a line of its own', () => {
    const found = timelineOf(kept('vault-sealed'), published('renewal-due'), kept('vault-sealed'))
    expect(found.map(({ what, times }) => [what, times])).toEqual([
      ['renewal-failed', undefined],
      ['published', undefined],
      ['renewal-failed', undefined],
    ])
  })

  it('is told newest first, each with its reason', () => {
    const found = timelineOf({ type: 'found', component, certificate }, published('renewal-due'))
    expect(found).toMatchObject([{ what: 'published', reason: 'renewal-due', serialNumber: 'AB' }, { what: 'found' }])
  })

  it('an outage is one line, however long', () => {
    const found = timelineOf(published('never-published'), ...Array.from({ length: 1000 }, () => kept('vault-sealed')))
    expect(found).toMatchObject([
      { what: 'renewal-failed', times: 1000, reason: 'vault-sealed' },
      { what: 'published' },
    ])
  })

  it('is bounded', () => {
    const found = timelineOf(...Array.from({ length: 1000 }, () => published('renewal-requested')))
    expect(found).toHaveLength(20)
  })

  it('knows nothing of targets that are not its own', () => {
    const present = createPresent(['calico-cni'], createFakeClock())
    present.listener(published('renewal-due'))
    expect([...present.targets.values()].flatMap(({ happenings }) => happenings)).toEqual([])
  })
})

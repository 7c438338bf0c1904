import { describe, expect, it } from 'vitest'
import type { ReasonCode } from '../../../../agent/core/reason-catalog.ts'
import type { AgentEvent, PublishedCertificate } from '../../../../agent/sidecar/observe/events.ts'
import { createTimeline, lastingFailure } from '../../../../agent/sidecar/observe/timeline.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const component = 'calico-node'
const ca = { count: 1, earliestExpiryMs: 0, changedSinceStart: false, addedAtMs: 0, certificates: [] }
const certificate: PublishedCertificate = { serialNumber: 'AB', notBeforeMs: 0, notAfterMs: 100, renewAtMs: 65, ca }
const published = (reason: ReasonCode): AgentEvent => ({
  type: 'published',
  component,
  reason,
  isFallback: reason.startsWith('restored-'),
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

function timelineOf(...events: readonly AgentEvent[]) {
  const timeline = createTimeline([{ component }], createFakeClock())
  for (const event of events) timeline.listener(event)
  return timeline.of(component)
}

describe('the timeline', () => {
  it('a look at the source that failed again and again is one line, and no failure of a renewal', () => {
    const looked: AgentEvent = { type: 'ca-refresh-failed', component, reason: 'vault-sealed', detail: 'why' }
    const found = timelineOf(kept('vault-sealed'), looked, looked)
    expect(found).toMatchObject([{ what: 'look-failed', times: 2 }, { what: 'renewal-failed' }])
    expect(lastingFailure(found)?.what).toBe('renewal-failed')
    expect(lastingFailure(timelineOf(published('renewal-due'), looked))).toBeUndefined()
  })

  it('consumers that could not be told are known until they have been', () => {
    const failed: AgentEvent = {
      type: 'on-publish-failed',
      component,
      action: 'url',
      reason: 'on-publish-failed',
      detail: 'why',
      retryAtMs: 5,
      repeated: false,
    }
    const timeline = createTimeline([{ component }], createFakeClock())
    timeline.listener(failed)
    expect(timeline.notTold(component)).toEqual({ reason: 'on-publish-failed', detail: 'why', retryAtMs: 5 })
    timeline.listener({ type: 'on-publish-done', component, action: 'url', durationMs: 1, output: '' })
    expect(timeline.notTold(component)).toBeUndefined()
  })

  it('is told newest first, each with its reason', () => {
    const found = timelineOf({ type: 'found', component, certificate }, published('renewal-due'))
    expect(found).toMatchObject([{ what: 'published', reason: 'renewal-due', renewAtMs: 65 }, { what: 'found' }])
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

  it('knows the address at which Vault answers now', () => {
    const timeline = createTimeline([], createFakeClock())
    expect(timeline.vaultAddress()).toBeUndefined()
    for (const address of ['https://a', 'https://b']) timeline.listener({ type: 'vault-address', address, instead: [] })
    expect(timeline.vaultAddress()).toBe('https://b')
  })

  it('knows nothing of targets that are not its own', () => {
    const timeline = createTimeline([], createFakeClock())
    timeline.listener(published('renewal-due'))
    expect(timeline.of(component)).toEqual([])
  })
})

describe('the failure that lasts', () => {
  it.each<[string, readonly AgentEvent[], ReasonCode | undefined]>([
    ['nothing has happened', [], undefined],
    ['an attempt failed', [published('never-published'), kept('vault-timeout')], 'vault-timeout'],
    ['a cached certificate does not end it', [kept('vault-sealed'), published('restored-from-state')], 'vault-sealed'],
    ['a new one does', [kept('vault-sealed'), published('renewal-due')], undefined],
    ['it has passed', [kept('directory-full'), { type: 'recovered', component }], undefined],
  ])('%s: %j', (_what, events, reason) => {
    expect(lastingFailure(timelineOf(...events))?.reason).toBe(reason)
  })
})

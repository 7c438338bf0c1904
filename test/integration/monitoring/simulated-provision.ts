/** Owns the metrics of a `provision watch` that is told what happens, scraped once a minute of its time. */
import type { AgentEvent, Listener } from '../../../agent/sidecar/observe/events.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createToldMetrics } from '../../support/told-metrics.ts'
import { createRecording, type Recording, recordMinutes } from './recording.ts'

export interface SimulatedProvision {
  readonly listener: Listener
  readonly recording: Recording
  readonly pass: (minutes: number) => Promise<void>
}

const startMs = Date.UTC(2026, 2, 1)

export function simulateProvision(): SimulatedProvision {
  const clock = createFakeClock(startMs)
  const provision = { usersPerNode: 2, otherUsers: 1 }
  const metrics = createToldMetrics({ components: [], version: '1', clock, provision })
  const recording = createRecording(startMs)
  const scrape = async (): Promise<string> => (await metrics.expose('')).text
  return {
    listener: metrics.listener,
    recording,
    pass: (minutes) => recordMinutes(recording, minutes, scrape, clock),
  }
}

type Done = Extract<AgentEvent, { type: 'provision-done' }>

/** A look at etcd after which everything is in step, but for what is said. */
export function provisioned(said: Partial<Done>): Done {
  const nothing = { changes: 0, pending: 0, held: 0, conflicts: 0 }
  return { type: 'provision-done', isFull: true, nodes: 10, durationMs: 5, ...nothing, ...said }
}

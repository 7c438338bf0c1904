/** Notices that what a target stands on has changed since it was last in order, at each step and without a watcher. */
import type { Clock } from '../clock.ts'
import { fingerprintPublished } from '../store/fingerprint.ts'
import type { ReadInputs } from './inputs.ts'

export interface Lookout {
  /** Whether the directory was in order when it was last inspected. */
  hasBeen(): boolean
  /** Whether something has touched what is published, or what belongs into it; now and then without any sign of it. */
  hasChanged(): boolean
  /** To be called before an inspection. Answers what to call after it, if it succeeds. */
  begin(): () => void
  /** Whether a source on this node holds something else than when this was asked last. */
  hasSourceChanged(): boolean
}

/** Reading three small files costs nothing, and proves what no time of a file can. */
const inspectEveryMs = 300_000

export function createLookout(options: { path: string; clock: Clock; readInputs: ReadInputs }): Lookout {
  const { path, clock, readInputs } = options
  let inspected: { readonly state: string; readonly at: number } | undefined
  let sourceState: string | undefined

  const standing = (): string => `${fingerprintPublished(path)} ${readInputs(['etcd-ca'])['etcd-ca'] ?? ''}`

  return {
    hasBeen: () => inspected !== undefined,
    hasChanged: () =>
      inspected === undefined || inspected.state !== standing() || clock.monotonic() >= inspected.at + inspectEveryMs,
    begin() {
      inspected = undefined
      // The state of before: what is changed during the inspection is inspected again.
      const state = standing()
      return () => {
        inspected = { state, at: clock.monotonic() }
      }
    },
    hasSourceChanged() {
      const before = sourceState
      sourceState = readInputs(['source']).source ?? ''
      return before !== undefined && before !== sourceState
    },
  }
}

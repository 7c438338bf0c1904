/**
 * Owns the answers of the HTTP server about the status: the page and its JSON. A bundle of its own in dist/ that is loaded when
 * somebody looks for the first time.
 */
import type { Clock } from '../../core/clock.ts'
import type { StatusAnswer } from '../observe/server.ts'
import type { Timeline } from '../observe/timeline.ts'
import { statusJson } from './json.ts'
import { statusPage } from './page.ts'
import { readStatus, type StatusConfig } from './status.ts'

export interface StatusSubject {
  readonly config: StatusConfig
  readonly version: string
  readonly timeline: Timeline
  readonly clock: Clock
}

export function answerStatus(path: '/' | '/status', { config, version, timeline, clock }: StatusSubject): StatusAnswer {
  const live = {
    version,
    vaultAddress: timeline.vaultAddress(),
    vault: config.source.kind === 'file' ? undefined : timeline.vault(),
  }
  const read = readStatus(config, live, (component) => timeline.of(component), clock.now())
  const targets = read.targets.map((target) => ({ ...target, notTold: timeline.notTold(target.component) }))
  const status = { ...read, targets }
  if (path === '/') return statusPage(status)
  const text = `${JSON.stringify(statusJson(status))}\n`
  return { contentType: 'application/json', text, headers: {} }
}

/**
 * Owns the answers of the HTTP server about the status: the page and its JSON. A bundle of its own in dist/ that is loaded when
 * somebody looks for the first time.
 */
import type { Clock } from '../../core/clock.ts'
import type { Present } from '../observe/present.ts'
import type { StatusAnswer } from '../observe/server.ts'
import { statusJson } from './json.ts'
import { statusPage } from './page.ts'
import { readStatus, type StatusConfig, type Told } from './status.ts'

export interface StatusSubject {
  readonly config: StatusConfig
  readonly version: string
  readonly present: Present
  readonly clock: Clock
}

export function answerStatus(path: '/' | '/status', subject: StatusSubject): StatusAnswer {
  const { config, clock } = subject
  const status = readStatus(config, toldBy(subject), clock.now())
  if (path === '/') return statusPage(status)
  const text = `${JSON.stringify(statusJson(status))}\n`
  return { contentType: 'application/json', text, headers: {} }
}

function toldBy({ config, version, present, clock }: StatusSubject): Told {
  return {
    version,
    vaultAddress: present.vaultAddress,
    vault: config.source.kind === 'file' ? undefined : present.vault,
    target(component) {
      const { state, notTold, happenings = [] } = present.targets.get(component) ?? {}
      const { certificate, failure, verification, budget } = state ?? {}
      const nowMs = clock.now()
      return {
        certificate,
        failure,
        unproven: verification?.isAccepted === false ? verification : undefined,
        budget: budget && { limit: budget.limit, spent: budget.spentUntilMs.filter((ms) => ms > nowMs).length },
        notTold,
        happenings,
      }
    },
  }
}

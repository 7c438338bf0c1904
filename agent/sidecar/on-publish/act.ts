/** Owns the three ways of telling somebody what was published: a program, a signal, a URL. What is told holds no secret. */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import { isoTime } from '../../core/clock.ts'
import { callUrl } from './call.ts'
import { runProgram } from './program.ts'
import { signalProcess } from './signal.ts'

export interface Notice {
  readonly component: string
  readonly directory: string
  /** A code of the runbook; `found`: an earlier process has published it. */
  readonly reason: string
  readonly caSetChanged: boolean
  readonly serialNumber: string
  readonly notAfterMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * @param own the agent's environment
 * @returns what was said: the end of the output, or the answer
 * @throws AgentError
 */
export async function act({ action, timeoutMs }: OnPublishConfig, notice: Notice, own: Environment): Promise<string> {
  switch (action.kind) {
    case 'program':
      return await runProgram({ argv: action.argv, environment: environmentOf(notice, own), timeoutMs })
    case 'signal':
      return signalProcess(action.signal, action.pidFile)
    case 'url':
      return await callUrl(action.url, bodyOf(notice), timeoutMs)
  }
}

/** Nothing else is passed on: the agent's own environment may name tokens, or hold them. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_NAME'] as const

export function environmentOf(notice: Notice, own: Environment): Environment {
  return {
    ...Object.fromEntries(passedOn.map((name) => [name, own[name]])),
    PUBLISHED_TARGET: notice.component,
    PUBLISHED_DIRECTORY: notice.directory,
    PUBLISHED_REASON: notice.reason,
    PUBLISHED_CA_SET_CHANGED: String(notice.caSetChanged),
    PUBLISHED_SERIAL: notice.serialNumber,
    PUBLISHED_NOT_AFTER: isoTime(notice.notAfterMs),
  }
}

export function bodyOf({ component, notAfterMs, ...rest }: Notice): string {
  return JSON.stringify({ target: component, ...rest, notAfter: isoTime(notAfterMs) })
}

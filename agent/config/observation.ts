/** Owns how an agent is observed: the address of health and metrics, the log, and the runbook that messages link to. */
import { isIPv6 } from 'node:net'
import { type EnvironmentReader, quote } from './reader.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

export interface Observation {
  /** Undefined: off. */
  readonly listen: ListenAddress | undefined
  /** Without a format: readable on a terminal, else JSON. */
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'json' | 'pretty' | undefined }
}

export function readObservation(reader: EnvironmentReader): Observation {
  return {
    listen: readListen(reader),
    log: {
      level: reader.choice('AGENT_LOG_LEVEL'),
      format: reader.isSet('AGENT_LOG_FORMAT') ? reader.choice('AGENT_LOG_FORMAT') : undefined,
    },
  }
}

function readListen(reader: EnvironmentReader): ListenAddress | undefined {
  const text = reader.text('AGENT_LISTEN')
  if (text === 'off') return undefined
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535 || (match[1] !== undefined && !isIPv6(match[1]))) {
    const what = 'it must be host:port such as 0.0.0.0:9879 or [::]:9879, or off'
    return reader.problem('AGENT_LISTEN', `is ${quote(text)}; ${what}`)
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

/** It becomes a link on the page and in messages (core/reason.ts). */
export function checkRunbookUrl(reader: EnvironmentReader): void {
  const text = reader.optional('AGENT_RUNBOOK_URL')
  if (text === undefined) return
  const url = /^https?:\/\/[^\s"'<>#]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    reader.problem('AGENT_RUNBOOK_URL', `is ${quote(text)}; it must be an http or https URL without a fragment`)
  } else if (url.username + url.password !== '') {
    // Everybody who may ask for the health would read it.
    reader.problem('AGENT_RUNBOOK_URL', 'holds a user or a password in its URL; leave it out')
  }
}

/**
 * Where a command of ours asks the agent on this machine, as `host:port` for a URL: an address that stands for every interface is asked
 * on loopback.
 */
export function loopbackOf({ host, port }: ListenAddress): string {
  if (host === '0.0.0.0') return `127.0.0.1:${port}`
  if (host === '::') return `[::1]:${port}`
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

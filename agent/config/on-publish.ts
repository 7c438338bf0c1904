/** Owns reading whom the agent tells after a publication: a program, a process, or a URL on this machine. */
import { isAbsolute } from 'node:path'
import { parseJson } from '../core/json.ts'
import { type EnvironmentReader, quote } from './reader.ts'

export type OnPublishAction =
  | { readonly kind: 'program'; readonly argv: readonly [string, ...string[]] }
  | { readonly kind: 'signal'; readonly signal: Signal; readonly pidFile: string }
  /** http on loopback. */
  | { readonly kind: 'url'; readonly url: string }

export interface OnPublishConfig {
  readonly action: OnPublishAction
  /** `ca-only`: for consumers that read certificate and key again, and the CA set only at their start. */
  readonly when: 'every' | 'ca-only'
  readonly timeoutMs: number
}

const signals = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGWINCH'] as const
type Signal = (typeof signals)[number]

const forms = 'a program with an absolute path, SIGHUP:/path/of/pid-file, or http://127.0.0.1:port/path'

export function readOnPublish(reader: EnvironmentReader): OnPublishConfig | undefined {
  const text = reader.optional('AGENT_ON_PUBLISH')
  if (text === undefined) return undefined
  const action = parseAction(text)
  const when = reader.choice('AGENT_ON_PUBLISH_WHEN')
  const timeoutMs = reader.durationMs('AGENT_ON_PUBLISH_TIMEOUT')
  if (typeof action === 'string') return reader.problem('AGENT_ON_PUBLISH', action)
  return { action, when, timeoutMs }
}

/** What is done, or what is wrong with it. */
export function parseAction(text: string): OnPublishAction | string {
  if (text.startsWith('[')) return parseProgram(parseJson(text), text)
  if (/^https?:/i.test(text)) return parseUrl(text)
  const [, name, pidFile] = /^([A-Za-z]+\d?):(\/.*)$/.exec(text) ?? []
  if (name !== undefined && pidFile !== undefined) return parseSignal(name, pidFile)
  if (/["'`$|&;<>*?\\]/.test(text)) {
    return `is ${quote(text)}; no shell reads it: write the arguments as a JSON array, such as ["/usr/bin/program","an argument"]`
  }
  return parseProgram(text.split(/\s+/), text)
}

function parseProgram(list: unknown, text: string): OnPublishAction | string {
  const argv = Array.isArray(list) ? list : []
  const isText = (each: unknown): each is string => typeof each === 'string' && !each.includes('\0')
  const [program, ...rest] = argv.filter(isText)
  if (program === undefined || rest.length + 1 < argv.length) return `is ${quote(text)}; it must be ${forms}`
  if (!isAbsolute(program)) return `names the program ${quote(program)}; it must be an absolute path`
  return { kind: 'program', argv: [program, ...rest] }
}

function parseSignal(name: string, pidFile: string): OnPublishAction | string {
  const signal = signals.find((each) => each === name.toUpperCase() || each === `SIG${name.toUpperCase()}`)
  if (signal === undefined) return `names the signal ${quote(name)}; it must be one of ${signals.join(', ')}`
  return { kind: 'signal', signal, pidFile }
}

function parseUrl(text: string): OnPublishAction | string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (/@/.test(text)) return 'holds a user or a password in its URL; leave it out'
  const isLoopback = /^(127(\.\d+){3}|\[::1\]|localhost)$/.test(url?.hostname ?? '')
  if (url?.protocol !== 'http:' || !isLoopback) {
    return `is ${quote(text)}; a URL must be http on 127.0.0.1, [::1] or localhost: it is not for other machines`
  }
  return { kind: 'url', url: url.href }
}

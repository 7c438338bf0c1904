/** Owns the log: one line per event on standard output, JSON by pino, or a readable form for people. */
import { pino } from 'pino'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { describe } from './describe.ts'
import type { Listener } from './events.ts'
import type { Level } from './log-line.ts'
import { openLogOutput } from './log-output.ts'

export function createLog({ level, format }: Config['log'], clock: Clock): Listener {
  const options = { level, base: null, timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"` }
  const formatters = { level: (label: string) => ({ level: label }) }
  const output = openLogOutput()
  const isReadable = (format ?? (process.stdout.isTTY ? 'pretty' : 'json')) === 'pretty'
  const write = isReadable ? (text: string) => output(prettyLine(text)) : output
  const logger = pino({ ...options, formatters }, { write })
  return (event) => {
    const line = describe(event, clock.now())
    if (line !== undefined) logger[line.level]({ event: event.type, ...line.fields }, line.message)
  }
}

const colors: Readonly<Record<Level, number>> = { debug: 90, info: 36, warn: 33, error: 31 }

/** `2026-11-21 12:03:04Z warn  message (what Vault said) runbook`, of a JSON line: whoever needs every field has it there. */
function prettyLine(json: string): string {
  const { time, level, msg, error, runbook } = JSON.parse(json) as Record<string, unknown>
  const paint = (code: number, text: string): string => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text)
  const name = String(level) as Level
  const said = typeof error === 'string' && !String(msg).includes(error) ? ` (${visible(error)})` : ''
  const link = typeof runbook === 'string' ? ` ${paint(90, runbook)}` : ''
  const at = `${String(time).slice(0, 19).replace('T', ' ')}Z`
  return `${at} ${paint(colors[name], name.padEnd(5))} ${visible(String(msg))}${said}${link}\n`
}

/** Control characters as JSON writes them: they would forge lines, or colors of a terminal. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

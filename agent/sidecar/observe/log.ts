/**
 * Owns the log: one line per event on standard output, JSON by pino, or a readable form for people. Nothing behind standard output
 * can stop or end the agent: a full disk, a reader that has gone, a reader that reads no more. Lines that cannot be written are lost,
 * and the first one that can be says how many.
 */
import { fstatSync, writeSync } from 'node:fs'
import { pino } from 'pino'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { describe } from './describe.ts'
import type { Listener } from './events.ts'
import type { Level } from './log-line.ts'

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

/** What a reader that stands still may leave waiting in memory. */
const mostWaitingBytes = 1024 * 1024
const standardOutput = 1

/** The way to standard output. Each line is written at once if that is possible: the last ones before a SIGKILL matter most. */
function openLogOutput(): (line: string) => void {
  const write = isStream() ? writeToStream() : writeToFile
  // A warning of Node's own goes there, and must not end the agent either.
  process.stderr.on('error', () => {})
  let lost = 0
  return (line) => {
    if (lost > 0 && write(lostLine(lost))) lost = 0
    if (lost > 0 || !write(line)) lost++
  }
}

/** A pipe or a socket has a reader that may stand still; a file has none, and its disk may have room again later. */
function isStream(): boolean {
  try {
    const stat = fstatSync(standardOutput)
    return stat.isFIFO() || stat.isSocket()
  } catch {
    return false
  }
}

/** Without blocking, as Node does with pipes: what the reader does not take waits in memory. */
function writeToStream(): (line: string) => boolean {
  const { stdout } = process
  // The reader has gone: every later line is lost.
  stdout.on('error', () => {})
  return (line) => {
    if (stdout.destroyed || stdout.writableLength > mostWaitingBytes) return false
    stdout.write(line)
    return true
  }
}

function writeToFile(line: string): boolean {
  const bytes = Buffer.from(line)
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(standardOutput, bytes, written)
    return true
  } catch {
    return false
  }
}

function lostLine(lost: number): string {
  const msg = `${lost} lines of the log were lost: standard output did not take them`
  return `${JSON.stringify({ level: 'warn', event: 'log-lost', lines: lost, msg })}\n`
}

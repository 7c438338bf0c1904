/**
 * Writes the log to standard output so that nothing behind it can stop or end the agent: a full disk, a reader that has gone, a
 * reader that reads no more. Lines that cannot be written are lost, and the first one that can be says how many.
 */
import { fstatSync, writeSync } from 'node:fs'

/** What a reader that stands still may leave waiting in memory. */
const mostWaitingBytes = 1024 * 1024
const standardOutput = 1

/** The way to standard output. Each line is written at once if that is possible: the last ones before a SIGKILL matter most. */
export function openLogOutput(): (line: string) => void {
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

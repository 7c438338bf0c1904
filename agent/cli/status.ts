/** Owns the command `status`: what is published and what the agent does about it, without any network but loopback. */
import { hostname } from 'node:os'
import { parseConfig } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { statusJson } from '../sidecar/status/json.ts'
import { askAgent } from '../sidecar/status/live.ts'
import { readStatus, type Status } from '../sidecar/status/status.ts'
import { choice, parseFlags } from './arguments.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { statusText } from './status-output.ts'
import { painter } from './terminal.ts'

const flags = { output: { type: 'string' }, watch: { type: 'boolean' } } as const

const watchMs = 2000
/** Cursor home, and everything below it cleared. */
const clearScreen = '\u001b[H\u001b[J'

export async function status(argv: readonly string[]): Promise<number> {
  try {
    const { output: format, watch = false } = parseFlags('status', argv, flags)
    const output = choice('output', format, ['text', 'json'])
    const config = parseConfig(process.env, hostname())
    const look = async (): Promise<Status> => {
      const live = await askAgent(config)
      return readStatus(
        config,
        { version: live?.version, vaultAddress: live?.vaultAddress },
        live?.of ?? (() => []),
        systemClock.now(),
      )
    }
    const paint = painter(process.stdout.isTTY, process.env)
    const isScreen = watch && output === 'text' && process.stdout.isTTY
    const stop = stopSignal()
    for (;;) {
      const now = await look()
      if (stop.aborted) return exitCodes.ok
      const text = output === 'json' ? jsonText(now, watch) : statusText(now, paint)
      process.stdout.write(isScreen ? clearScreen + text : text)
      if (!watch) return exitCodeOf(now)
      await systemClock.sleep(watchMs, stop)
      if (stop.aborted) return exitCodes.ok
    }
  } catch (error) {
    return reportFailure(error)
  }
}

/** Watched, it is one line a look: programs read it as it comes. */
function jsonText(now: Status, watch: boolean): string {
  return `${JSON.stringify(statusJson(now), null, watch ? 0 : 2)}\n`
}

function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

function exitCodeOf({ targets }: Status): number {
  const works = targets.every(({ state }) => state === 'good' || state === 'late')
  return works ? exitCodes.ok : exitCodes.unavailable
}

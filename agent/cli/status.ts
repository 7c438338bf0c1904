/** Owns the command `status`: what is published and what the agent does about it, without any network but loopback. */
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { systemClock } from '../clock.ts'
import { parseConfig } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { statusJson } from '../status/json.ts'
import { askAgent } from '../status/live.ts'
import { readStatus, type Status } from '../status/status.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure, UsageError } from './failure.ts'
import { painter } from './provision-output.ts'
import { statusText } from './status-output.ts'

const watchMs = 2000
/** Cursor home, and everything below it cleared. */
const clearScreen = '\u001b[H\u001b[J'

export async function status(argv: readonly string[]): Promise<number> {
  try {
    const { output, watch } = parseStatusOptions(argv)
    const config = parseConfig(process.env, hostname())
    const look = async (): Promise<Status> => {
      const live = await askAgent(config)
      return readStatus(config, live?.version, live?.of ?? (() => []), systemClock.now())
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

/** @throws UsageError */
export function parseStatusOptions(argv: readonly string[]): { output: 'text' | 'json'; watch: boolean } {
  const { output = 'text', watch = false } = parsed(argv)
  if (output !== 'text' && output !== 'json') throw new UsageError('status --output is text or json')
  return { output, watch }
}

function parsed(argv: readonly string[]) {
  const options = { output: { type: 'string' }, watch: { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values
  } catch (error) {
    // `Unknown option '--x'. To specify a positional …`: the first sentence says it.
    throw new UsageError(`status: ${messageOf(error).split('. ', 1)[0]}`)
  }
}

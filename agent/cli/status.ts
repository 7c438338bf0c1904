/** Owns the command `status`: what is published and what the agent does about it, without any network but loopback. */
import { hostname } from 'node:os'
import { parseConfig } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { statusJson } from '../sidecar/status/json.ts'
import { askAgent } from '../sidecar/status/live.ts'
import { nothingTold, readStatus, type Status } from '../sidecar/status/status.ts'
import { isHeld } from '../sidecar/store/directory-lock.ts'
import type { StatusOptions } from './command-line.ts'
import { exitCodes, reportFailure } from './exit.ts'
import { statusText } from './status-output.ts'
import { painter } from './terminal.ts'

const watchMs = 2000
/** Cursor home, and everything below it cleared. */
const clearScreen = '\u001b[H\u001b[J'

export async function status({ watch, output }: StatusOptions): Promise<number> {
  try {
    const config = parseConfig(process.env, hostname())
    const read = async (): Promise<Status> => {
      const told = await askAgent(config)
      const now = readStatus(config, told ?? nothingTold, systemClock.now())
      return told === undefined ? await withAgents(now) : now
    }
    const paint = painter(process.stdout.isTTY, process.env)
    const isScreen = watch && output === 'text' && process.stdout.isTTY
    const stop = stopSignal()
    for (;;) {
      const now = await read()
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

/** If no agent answers on its port, the lock of each directory tells whether one runs. */
async function withAgents(found: Status): Promise<Status> {
  const targets = found.targets.map(async (target) => ({ ...target, hasAgent: await isHeld(target.directory) }))
  return { ...found, targets: await Promise.all(targets) }
}

/** Watched, it is one line a time: programs read it as it comes. */
function jsonText(now: Status, watch: boolean): string {
  return `${JSON.stringify(statusJson(now), null, watch ? 0 : 2)}\n`
}

/** Ctrl-C ends it as the shell expects, with 130. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  return stop.signal
}

function exitCodeOf({ targets }: Status): number {
  const works = targets.every(({ state }) => state === 'good' || state === 'late')
  return works ? exitCodes.ok : exitCodes.unavailable
}

/** Owns the command `init`: a good certificate for every target, then the end. */

import type { Config } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { createEventHub } from '../sidecar/observe/events.ts'
import { exitCodes, reportFailure } from './exit.ts'
import { openAgent } from './run.ts'

/** Whoever waits for longer than this wants to read why. */
const logAfterMs = 500

/** @param waitMs how long to try */
export async function init(config: Config, waitMs: number): Promise<number> {
  const hub = createEventHub()
  const { agent, stop } = openAgent(config, hub.emit)
  const done = new AbortController()
  void systemClock.sleep(waitMs, done.signal).then(() => stop.abort())
  const running = agent.runOnce(stop.signal).finally(() => done.abort())
  await systemClock.sleep(logAfterMs, done.signal)
  const { startLog } = await import('../sidecar/background.ts')
  startLog({ config, hub, clock: systemClock })
  const failures = await running
  for (const failure of failures) reportFailure(failure)
  return failures.length === 0 ? exitCodes.ok : exitCodes.unavailable
}

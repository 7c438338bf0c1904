/**
 * Owns the command `started`, the startup probe: waits until the agent of this very container answers that every target is
 * published. On the host's network, whoever had the port before may still answer there: that answer does not count.
 */
import { get } from 'node:http'
import type { Config } from '../config/config.ts'
import { loopbackOf } from '../config/observation.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { containerHeader } from '../sidecar/observe/container.ts'
import { exitCodes, UsageError } from './exit.ts'

export interface StartedOptions {
  readonly listen: Config['listen']
  readonly container: string | undefined
  readonly waitMs: number
  readonly clock: Clock
  readonly say: (line: string) => void
}

const askAgainMs = 100
const answerWithinMs = 1000

/** 0 as soon as it has started; 69 after the wait, with the last reason. */
export async function started({ listen, container, waitMs, clock, say }: StartedOptions): Promise<number> {
  if (listen === undefined) throw new UsageError('started asks the agent on AGENT_LISTEN, which is off')
  if (container === undefined) throw new UsageError('started needs /proc/self/ns/mnt, which cannot be read')
  const url = `http://${loopbackOf(listen)}/startupz`
  const never = new AbortController().signal
  const endAt = clock.monotonic() + waitMs
  for (;;) {
    const why = await ask(url, container)
    if (why === undefined) return exitCodes.ok
    if (clock.monotonic() >= endAt) {
      say(`calico-vault-agent: not started: ${url}: ${why}`)
      return exitCodes.unavailable
    }
    await clock.sleep(askAgainMs, never)
  }
}

/** Why it has not started, or undefined. */
function ask(url: string, container: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: answerWithinMs }, (response) => {
      response.resume()
      const whose = response.headers[containerHeader]
      const { statusCode } = response
      if (whose !== container) resolve('another process has the port; the agent takes it as soon as it is free')
      else resolve(statusCode === 200 ? undefined : 'a certificate is still missing; the log of the agent says why')
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', (error) => resolve(messageOf(error)))
  })
}

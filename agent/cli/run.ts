/** Owns the command `run`: the agent until a signal, and the background services beside it. */

import type { Config } from '../config/config.ts'
import { systemClock } from '../core/clock.ts'
import { disableJit, keepWasmSmall, prepareConnection } from '../core/v8-tuning.ts'
import { version } from '../core/version.ts'
import { createEventHub, type Listener } from '../sidecar/observe/events.ts'
import { type Agent, createAgent } from '../sidecar/sidecar.ts'
import { exitCodes, stopBySignal } from './exit.ts'

/** Health and metrics are there within a second, even if Vault does not answer. */
const backgroundAfterMs = 500

export async function run(config: Config): Promise<number> {
  const hub = createEventHub()
  const published = new AbortController()
  const waiting = new Set(config.targets.map(({ component }) => component))
  const emit: Listener = (event) => {
    hub.emit(event)
    if (event.type === 'published' || event.type === 'found') waiting.delete(event.component)
    if (waiting.size === 0) published.abort()
  }
  const { agent, stop } = openAgent(config, emit)
  process.on('SIGHUP', () => agent.renewNow())
  const running = agent.run(stop.signal)
  await Promise.race([running, systemClock.sleep(backgroundAfterMs, published.signal)])
  const { startBackground } = await import('../sidecar/background.ts')
  startBackground({
    config,
    hub,
    clock: systemClock,
    version,
    changed: () => agent.recheck(),
    published: (component) => agent.published(component),
    random: Math.random,
  })
  published.signal.addEventListener('abort', disableJit, { once: true })
  if (published.signal.aborted) disableJit()
  await running
  return exitCodes.ok
}

/** The agent of `run` and of `init`, and what a signal aborts. */
export function openAgent(config: Config, emit: Listener): { readonly agent: Agent; readonly stop: AbortController } {
  const agent = createAgent({
    config,
    clock: systemClock,
    random: Math.random,
    emit,
    beforeConnect: (material) => {
      keepWasmSmall()
      prepareConnection(material)
    },
  })
  emit({
    type: 'started',
    version,
    node: config.node,
    authMethod: config.auth?.method ?? 'none',
    targets: config.targets,
  })
  return { agent, stop: stopBySignal(emit) }
}

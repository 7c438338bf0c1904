/**
 * Owns knowing the nodes of a Kubernetes cluster at any moment: list, then watch from the version of the list on; after a cut
 * go on from the last version that was seen, and list again only if the API server has forgotten it or told nonsense.
 */

import type { KubeAddress } from '../../config/watch.ts'
import { createRetries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import type { AgentError } from '../../core/errors.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { NodeListener, NodeSource } from '../provision/node-source.ts'
import { type KubeApi, type KubeTimeouts, openKube } from './api.ts'

export interface KubeNodesOptions {
  readonly address: KubeAddress
  readonly clock: Clock
  readonly random: () => number
  readonly timeouts?: Partial<KubeTimeouts>
  readonly open?: typeof openKube
}

/** As a runway for the backoff: tries are at most ten seconds apart, as a new node waits for its network. */
const patienceMs = 40_000
/** An API server that ends a watch at once, without an event, must not be asked in a loop. */
const shortWatchMs = 1000

export function createKubeNodes(options: KubeNodesOptions): NodeSource {
  const { address, clock, random, open = openKube } = options
  return {
    name: `Kubernetes at ${address.origin}`,
    async run(listener, stop) {
      const state: Known = { names: new Set(), version: undefined }
      const retries = createRetries(random)
      let hasExpired = false
      const heard = (): void => {
        retries.reset()
        hasExpired = false
      }
      async function step(): Promise<number> {
        // The watches of all replicas should not end at the same moment.
        const timeouts = { answerMs: 30_000, silentMs: 150_000, watchSeconds: Math.round(300 + 300 * random()) }
        const api = open(address, { ...timeouts, ...options.timeouts }, stop)
        try {
          await follow(api, state, listener, heard, clock, stop)
          return 0
        } finally {
          api.close()
        }
      }
      function fail(error: AgentError): number {
        if (error.code === 'kube-expired' || error.code === 'kube-bad-answer') state.version = undefined
        const delayMs = retries.delayMs(error, patienceMs)
        // It answers, and only wants to be asked for the list; but no list that expires at once is asked for in a loop.
        const waitMs = error.code === 'kube-expired' && !hasExpired ? 0 : delayMs
        hasExpired = error.code === 'kube-expired'
        listener.failed(error, clock.now() + waitMs)
        return waitMs
      }
      await createLoop(clock, step, fail).run(stop)
    },
  }
}

interface Known {
  names: Set<string>
  /** Undefined: the names are to be listed. */
  version: string | undefined
}

async function follow(
  api: KubeApi,
  state: Known,
  listener: NodeListener,
  heard: () => void,
  clock: Clock,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    if (state.version === undefined) {
      await list(api, state)
      listener.nodes(state.names)
      listener.reached()
    }
    const startedAt = clock.monotonic()
    let events = 0
    for await (const event of api.watchNodes(state.version ?? '', () => listener.reached())) {
      events++
      heard()
      if (event.type === 'present' || event.type === 'deleted') {
        const changed = event.type === 'present' ? !state.names.has(event.name) : state.names.has(event.name)
        if (event.type === 'present') state.names.add(event.name)
        else state.names.delete(event.name)
        if (changed) listener.nodes(state.names)
      }
      if (event.type !== 'error' && event.type !== 'malformed') state.version = event.resourceVersion
    }
    if (events === 0 && clock.monotonic() - startedAt < shortWatchMs) await clock.sleep(shortWatchMs, stop)
    else heard()
  }
}

async function list(api: KubeApi, state: Known): Promise<void> {
  const names = new Set<string>()
  let after: string | undefined
  do {
    const page = await api.listNodes(after)
    for (const name of page.names) names.add(name)
    after = page.continue
    // All pages are of one version.
    if (after === undefined) {
      state.names = names
      state.version = page.resourceVersion
    }
  } while (after !== undefined)
}

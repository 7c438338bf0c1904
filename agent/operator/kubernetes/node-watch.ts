/**
 * Owns knowing the nodes of a Kubernetes cluster at any moment: list, then watch from the version of the list on; after a cut
 * go on from the last version that was seen, and list again only if the API server has forgotten it or told nonsense.
 */
import type { KubeAddress } from '../../config/watch.ts'
import { createRetries } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import type { AgentError } from '../../core/errors.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { NodeSource } from '../provision/provisioner.ts'
import { type KubeApi, openKube } from './api.ts'

export interface KubeNodesOptions {
  readonly address: KubeAddress
  readonly clock: Clock
  readonly random: () => number
  readonly open?: typeof openKube
}

/** As a runway for the backoff: tries are at most ten seconds apart, as a new node waits for its network. */
const patienceMs = 40_000
/** An API server that ends a watch at once, without an event, must not be asked in a loop. */
const shortWatchMs = 1000

export function createKubeNodes({ address, clock, random, open = openKube }: KubeNodesOptions): NodeSource {
  return {
    name: `Kubernetes at ${address.origin}`,
    async run(listener, stop) {
      let names = new Set<string>()
      /** The last one that was seen; undefined: the names are to be listed. */
      let version: string | undefined
      let hasExpired = false
      const retries = createRetries(random)
      const heard = (): void => {
        retries.reset()
        hasExpired = false
      }

      /** One watch, with the list before it if that is needed. */
      async function step(): Promise<number> {
        // The watches of all replicas should not end at the same moment.
        const watchSeconds = Math.round(300 + 300 * random())
        const api = open(address, { answerMs: 30_000, silentMs: 150_000, watchSeconds }, stop)
        try {
          if (version === undefined) {
            ;({ names, version } = await list(api))
            listener.nodes(names)
            listener.reached()
          }
          const startedAt = clock.monotonic()
          let events = 0
          for await (const event of api.watchNodes(version, () => listener.reached())) {
            events++
            heard()
            version = event.resourceVersion
            const before = names.size
            if (event.type === 'present') names.add(event.name)
            if (event.type === 'deleted') names.delete(event.name)
            if (names.size !== before) listener.nodes(names)
          }
          if (events === 0 && clock.monotonic() - startedAt < shortWatchMs) return shortWatchMs
          heard()
          return 0
        } finally {
          api.close()
        }
      }

      function fail(error: AgentError): number {
        if (error.code === 'kube-expired' || error.code === 'kube-bad-answer') version = undefined
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

async function list(api: KubeApi): Promise<{ names: Set<string>; version: string }> {
  const names = new Set<string>()
  let after: string | undefined
  for (;;) {
    const page = await api.listNodes(after)
    for (const name of page.names) names.add(name)
    // All pages are of one version.
    if (page.continue === undefined) return { names, version: page.resourceVersion }
    after = page.continue
  }
}

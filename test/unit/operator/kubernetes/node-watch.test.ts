/** The watch of nodes against an API server of the test's own: what it lists, where it goes on, and when it lists again. */
import { afterEach, describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import type { NodeEvent } from '../../../../agent/operator/kubernetes/answers.ts'
import type { KubeApi } from '../../../../agent/operator/kubernetes/api.ts'
import { createKubeNodes } from '../../../../agent/operator/kubernetes/node-watch.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const address = { origin: 'https://kube.test:6443', tokenFile: '/token', caFile: '/ca' }
const present = (name: string, resourceVersion: string): NodeEvent => ({ type: 'present', name, resourceVersion })
const deleted = (name: string, resourceVersion: string): NodeEvent => ({ type: 'deleted', name, resourceVersion })

type Step =
  | { readonly list: readonly string[]; readonly version: string; readonly after?: string; readonly next?: string }
  | { readonly watch: string; readonly events: readonly NodeEvent[]; readonly fails?: AgentError }

let stop: AbortController
afterEach(() => stop.abort())

/** Plays the steps in order, then waits in a watch forever. */
function play(steps: readonly Step[]) {
  stop = new AbortController()
  const clock = createFakeClock()
  const left = [...steps]
  const told: string[] = []
  let finished: () => void
  const end = new Promise<void>((resolve) => {
    finished = resolve
  })
  const open = (): KubeApi => ({
    async listNodes(after) {
      const step = left.shift()
      if (step === undefined || !('list' in step)) throw new Error(`unexpected list, wanted ${JSON.stringify(step)}`)
      expect(after).toBe(step.after)
      return { names: step.list, resourceVersion: step.version, continue: step.next }
    },
    async *watchNodes(version, opened) {
      const step = left.shift()
      opened()
      if (step === undefined) {
        told.push(`watch ${version}`)
        finished()
        await clock.sleep(10 ** 9, stop.signal)
        return
      }
      if (!('watch' in step)) throw new Error(`unexpected watch of ${version}`)
      expect(version).toBe(step.watch)
      yield* step.events
      if (step.fails !== undefined) throw step.fails
    },
    close: () => {},
  })
  const source = createKubeNodes({ address, clock, random: () => 0.5, open })
  const running = source.run(
    {
      nodes: (names) => told.push([...names].join(' ')),
      reached: () => {},
      failed: ({ code }, retryAtMs) => told.push(`${code} ${(retryAtMs ?? 0) - clock.now()}`),
    },
    stop.signal,
  )
  const done = Promise.race([end, running])
  return { told, clock, done }
}

describe('the nodes of Kubernetes', () => {
  it('are listed page by page, and told as a whole', async () => {
    const { told, done } = play([
      { list: ['a', 'b'], version: '5', next: 'token' },
      { list: ['c'], version: '5', after: 'token' },
      { watch: '5', events: [present('d', '6'), present('a', '7'), deleted('b', '8'), deleted('x', '9')] },
    ])
    await done
    expect(told).toEqual(['a b c', 'a b c d', 'a c d', 'watch 9'])
  })

  it('go on from the last bookmark when the API server ends the watch', async () => {
    const { told, done } = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [{ type: 'bookmark', resourceVersion: '40' }] },
      { watch: '40', events: [present('b', '41')] },
    ])
    await done
    expect(told).toEqual(['a', 'a b', 'watch 41'])
  })

  it('go on from the last event after a cut, without a list', async () => {
    const cut = new AgentError('kube-unreachable', 'cut')
    const { told, done, clock } = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [present('b', '6')], fails: cut },
      { watch: '6', events: [deleted('a', '7')] },
    ])
    await clock.nextSleep()
    expect(told).toEqual(['a', 'a b', 'kube-unreachable 1000'])
    clock.advance(1000)
    await done
    expect(told.slice(3)).toEqual(['b', 'watch 7'])
  })

  it('are listed again at once when their version is forgotten (410 Gone)', async () => {
    const { told, done } = play([
      { list: ['a', 'b'], version: '5' },
      { watch: '5', events: [], fails: new AgentError('kube-expired', 'too old resource version') },
      { list: ['b', 'c'], version: '90' },
    ])
    await done
    expect(told).toEqual(['a b', 'kube-expired 0', 'b c', 'watch 90'])
  })

  it('are listed again at once also where the version was forgotten during a cut', async () => {
    const { told, done, clock } = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [], fails: new AgentError('kube-unreachable', 'cut') },
      { watch: '5', events: [], fails: new AgentError('kube-expired', 'too old resource version') },
      { list: ['b'], version: '90' },
    ])
    await clock.nextSleep()
    clock.advance(1000)
    await done
    expect(told).toEqual(['a', 'kube-unreachable 1000', 'kube-expired 0', 'b', 'watch 90'])
  })

  it('are listed again, later, when an event was malformed', async () => {
    const { told, done, clock } = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [], fails: new AgentError('kube-bad-answer', 'a malformed event') },
      { list: ['a', 'c'], version: '90' },
    ])
    await clock.nextSleep()
    clock.advance(1000)
    await done
    expect(told).toEqual(['a', 'kube-bad-answer 1000', 'a c', 'watch 90'])
  })

  it('are not asked for in a loop by an API server that forgets at once, or ends every watch', async () => {
    const expired = new AgentError('kube-expired', 'too old')
    const { told, clock } = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [], fails: expired },
      { list: ['a'], version: '6' },
      { watch: '6', events: [], fails: expired },
    ])
    expect(await clock.nextSleep()).toBeGreaterThan(1000)
    expect(told.slice(0, 4)).toEqual(['a', 'kube-expired 0', 'a', 'kube-expired 5000'])
    stop.abort()
    const other = play([
      { list: ['a'], version: '5' },
      { watch: '5', events: [] },
      { watch: '5', events: [] },
    ])
    expect(await other.clock.nextSleep()).toBe(1000)
  })
})

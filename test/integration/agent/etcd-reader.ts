/** Owns clients of etcd as Calico's are: with the published files, over and over. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type EtcdIdentity, etcdGet } from '../../support/etcd-grpc.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'

/** The published files as Calico opens them: through the links, one generation. */
export function identityIn(directory: string, { endpoint }: RealEtcd): Required<EtcdIdentity> {
  const generation = realpathSync(join(directory, '..data'))
  const read = (name: string): string => readFileSync(join(generation, name), 'utf8')
  return { endpoint, ca: read('etcd-ca'), cert: read('etcd-cert'), key: read('etcd-key') }
}

/**
 * A client that connects again and again, each time with what stands in the directory.
 * @param loadedCa the CA set of a client that loads it once, at its start, as etcd's Go client does
 */
export function startReader(directory: string, etcd: RealEtcd, loadedCa?: string) {
  const failures: unknown[] = []
  const keys = new Set<string>()
  const waiting = new Set<() => void>()
  let isPaused = false
  let isStopped = false
  let unpause = (): void => {}
  let paused = (): void => {}

  const loop = async (): Promise<void> => {
    while (!isStopped) {
      if (isPaused) {
        paused()
        await new Promise<void>((resolve) => {
          unpause = resolve
        })
      }
      const found = identityIn(directory, etcd)
      const identity = loadedCa === undefined ? found : { ...found, ca: loadedCa }
      keys.add(createPublicKey(createPrivateKey(identity.key)).export({ format: 'der', type: 'spki' }).toString('hex'))
      const answer = await etcdGet(identity, '/calico/key')
      if (!answer.ok || answer.value !== 'value') failures.push(answer)
      for (const notify of waiting) notify()
    }
  }
  const running = loop()
  const end = async (): Promise<void> => {
    isStopped = true
    unpause()
    await running
  }
  // Also after a failure, while the directory is still there.
  onTestFinished(end)

  return {
    /** Resolves after so many more connections. */
    reads: (count: number): Promise<void> =>
      new Promise((resolve) => {
        let left = count
        const notify = (): void => {
          if (--left > 0) return
          waiting.delete(notify)
          resolve()
        }
        waiting.add(notify)
      }),
    /** Resolves when no connection is open. */
    pause: (): Promise<void> =>
      new Promise((resolve) => {
        paused = resolve
        isPaused = true
      }),
    resume: (): void => {
      isPaused = false
      unpause()
    },
    stop: async () => {
      await end()
      return { failures, serials: keys.size }
    },
  }
}

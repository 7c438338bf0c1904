/** Owns node names outside Kubernetes: a file that is watched, or lists on standard input. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Clock } from '../../core/clock.ts'
import { AgentError, messageOf } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { watchFiles } from '../../sidecar/store/watch.ts'
import { mostNodesBytes, parseNodeNames } from '../etcd/nodes.ts'
import type { NodeListener, NodeSource } from './provisioner.ts'

/** How often the file is read if the system cannot watch it (some network file systems). */
const recheckMs = 60_000

/** A file that is unreadable or wrong tells nothing: what was read before stands, and removes nobody meanwhile. */
export function createNodeFile(file: string, clock: Clock, watch: typeof watchFiles): NodeSource {
  return {
    name: file,
    async run(listener, stop) {
      const { run, wake } = createLoop(clock, () => {
        tell(() => readSmallFile(systemFiles, file, mostNodesBytes), file, listener)
        return recheckMs
      })
      const stopWatching = watch({ files: [file], directories: [] }, { changed: wake, failed: () => {}, ready: wake })
      try {
        await run(stop)
      } finally {
        stopWatching()
      }
    },
  }
}

/** One name a line. An empty line or the end of the input completes a list, so that a script may go on to write newer ones. */
export function createNodeInput(input: Readable, clock: Clock): NodeSource {
  const name = 'standard input'
  return {
    name,
    async run(listener, stop) {
      const lines = createInterface({ input })
      stop.addEventListener('abort', () => lines.close(), { once: true })
      let text = ''
      const complete = (): void => {
        if (text !== '') tell(() => text, name, listener)
        text = ''
      }
      for await (const line of lines) {
        if (line.trim() === '') complete()
        else if (text.length + line.length < mostNodesBytes) text += `${line}\n`
      }
      if (stop.aborted) return
      complete()
      // The last list stands for as long as the program runs.
      await createLoop(clock, () => recheckMs).run(stop)
    },
  }
}

/** Tells the names in a text, or why there are none. */
function tell(read: () => string, where: string, listener: NodeListener): void {
  try {
    const { names, problems } = parseNodeNames(read())
    if (problems.length > 0) throw new Error(problems.join('; '))
    listener.nodes(new Set(names))
    listener.reached()
  } catch (error) {
    const message = messageOf(error)
    const detail = message.includes(where) ? message : `${where}: ${message}`
    listener.failed(new AgentError('nodes-invalid', detail), undefined)
  }
}

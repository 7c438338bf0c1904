/** Owns node names outside Kubernetes: a file that is watched, or lists on standard input. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Clock } from '../../core/clock.ts'
import { AgentError, messageOf } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { createLoop } from '../../core/retry-loop.ts'
import type { watchFiles } from '../../sidecar/store/watch.ts'
import { parseNodeNames } from '../etcd/nodes.ts'
import type { NodeListener, NodeSource } from './node-source.ts'

/** A list of more nodes than Kubernetes can have is no list of nodes. */
const maxBytes = 16 * 1024 * 1024
/** How often the file is read if the system cannot watch it (some network file systems). */
const recheckMs = 60_000

/** A file that is unreadable or wrong tells nothing: what was read before stands, and removes nobody meanwhile. */
export function createNodeFile(file: string, clock: Clock, watch: typeof watchFiles): NodeSource {
  return {
    name: file,
    async run(listener, stop) {
      const read = (): void => {
        try {
          tell(readSmallFile(systemFiles, file, maxBytes), listener)
        } catch (error) {
          listener.failed(nodesInvalid(error, file), undefined)
        }
      }
      const stopWatching = watch({ files: [file], directories: [] }, { changed: read, failed: () => {}, ready: read })
      try {
        const step = (): number => {
          read()
          return recheckMs
        }
        await createLoop(clock, step).run(stop)
      } finally {
        stopWatching()
      }
    },
  }
}

/** One name a line. An empty line or the end of the input completes a list, so that a script may go on to write newer ones. */
export function createNodeInput(input: Readable, clock: Clock): NodeSource {
  return {
    name: 'standard input',
    async run(listener, stop) {
      const lines = createInterface({ input })
      stop.addEventListener('abort', () => lines.close(), { once: true })
      let text = ''
      const complete = (): void => {
        if (text !== '') {
          try {
            tell(text, listener)
          } catch (error) {
            listener.failed(nodesInvalid(error, 'standard input'), undefined)
          }
        }
        text = ''
      }
      for await (const line of lines) {
        if (line.trim() === '') complete()
        else if (text.length + line.length < maxBytes) text += `${line}\n`
      }
      if (stop.aborted) return
      complete()
      // The last list stands for as long as the program runs.
      await createLoop(clock, () => recheckMs).run(stop)
    },
  }
}

function tell(text: string, listener: NodeListener): void {
  const { names, problems } = parseNodeNames(text)
  if (problems.length > 0) throw new Error(problems.join('; '))
  listener.nodes(new Set(names))
  listener.reached()
}

function nodesInvalid(error: unknown, where: string): AgentError {
  const message = messageOf(error)
  return new AgentError('nodes-invalid', message.includes(where) ? message : `${where}: ${message}`)
}

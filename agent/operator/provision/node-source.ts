/** Owns what all sources of node names have in common: Kubernetes, a file, standard input. */
import type { AgentError } from '../../core/errors.ts'

export interface NodeListener {
  /** The names of all nodes, whenever they may have changed. The set may go on changing: it is to be read at once. */
  nodes(names: ReadonlySet<string>): void
  /** The source can tell changes again, without having missed any. */
  reached(): void
  /** What `nodes` told last may be out of date. */
  failed(error: AgentError, retryAtMs: number | undefined): void
}

export interface NodeSource {
  /** For the log. */
  readonly name: string
  /** Tells until `stop`. Rejects only for bugs. */
  run(listener: NodeListener, stop: AbortSignal): Promise<void>
}

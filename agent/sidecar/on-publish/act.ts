/** Owns the three ways of telling somebody: a program, a signal, a URL. */
import type { OnPublishConfig } from '../../config/on-publish.ts'
import { callUrl } from './call.ts'
import { bodyOf, environmentOf, type Notice } from './notice.ts'
import { runProgram } from './program.ts'
import { signalProcess } from './signal.ts'

/**
 * @returns what was said: the end of the output, or the answer
 * @throws AgentError
 */
export type Act = (notice: Notice) => Promise<string>

/** @param own the agent's environment */
export function createAct(
  { action, timeoutMs }: Pick<OnPublishConfig, 'action' | 'timeoutMs'>,
  own: Readonly<Record<string, string | undefined>>,
): Act {
  switch (action.kind) {
    case 'program': {
      const { argv } = action
      return (notice) => runProgram({ argv, environment: environmentOf(notice, own), timeoutMs })
    }
    case 'signal': {
      const { signal, pidFile } = action
      return async () => signalProcess(signal, pidFile)
    }
    case 'url': {
      const { url } = action
      return (notice) => callUrl(url, bodyOf(notice), timeoutMs)
    }
  }
}

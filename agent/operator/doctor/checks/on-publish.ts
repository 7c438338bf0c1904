/** Owns the check of AGENT_ON_PUBLISH: could its consumers be told now? Nobody is: nothing is started, signaled or asked. */
import { accessSync, constants, statSync } from 'node:fs'
import { AgentError, messageOf, systemCode } from '../../../core/errors.ts'
import { systemFiles, withFile } from '../../../core/files.ts'
import { signalProcess } from '../../../sidecar/on-publish/signal.ts'
import { type Check, ok } from '../check.ts'

export const onPublish: Check = {
  id: 'on-publish',
  where: 'on-publish',
  title: 'telling the consumers',
  run: ({ config: { onPublish: config } }) => {
    const { action } = config ?? {}
    switch (action?.kind) {
      case 'program':
        return ok(findProgram(action.argv[0]))
      case 'signal':
        // 0 signals nobody, and fails as the signal would.
        signalProcess(0, action.pidFile)
        return ok(`${action.pidFile} names a process that may be signaled`)
      case 'url':
        return ok(`POST ${action.url}, on this machine; whether somebody listens there was not asked`)
      case undefined:
        return ok('nobody is to be told')
    }
  },
}

/** @throws AgentError if it could not be started by the user that looks */
function findProgram(program: string): string {
  requireExecutable(program, program)
  const interpreter = interpreterOf(program)
  if (interpreter === undefined) return program
  // An image without a shell runs no script.
  requireExecutable(interpreter, `${program} needs ${interpreter}`)
  return `${program}, run by ${interpreter}`
}

function requireExecutable(path: string, what: string): void {
  try {
    accessSync(path, constants.X_OK)
  } catch (cause) {
    if (systemCode(cause) === '') throw cause
    throw new AgentError('on-publish-failed', `${what}: ${messageOf(cause)}`, { cause })
  }
  if (!statSync(path).isFile()) throw new AgentError('on-publish-failed', `${what}: it is not a file`)
}

const longestLine = 256

/** What the first line of a script names. Undefined for other programs, and for one that may be run but not read. */
function interpreterOf(program: string): string | undefined {
  const head = Buffer.alloc(longestLine)
  try {
    withFile(systemFiles, program, constants.O_RDONLY, 0, (descriptor) => systemFiles.readSync(descriptor, head))
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined
    throw error
  }
  return /^#![ \t]*(\/[^\s\0]+)/.exec(head.toString('latin1'))?.[1]
}

/** Owns signaling the process whose number stands in a pid file. */
import { existsSync } from 'node:fs'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { isFileError, readSmallFile, systemFiles } from '../../core/files.ts'

const mostBytes = 64

/**
 * @param signal 0: only whether the process could be signaled
 * @throws AgentError if nobody was signaled
 */
export function signalProcess(signal: NodeJS.Signals | 0, pidFile: string): string {
  const pid = readPid(pidFile)
  try {
    process.kill(pid, signal)
  } catch (cause) {
    throw failed(`${pidFile} names process ${pid}: ${whyNot(cause)}`, cause)
  }
  return `${signal} to process ${pid}`
}

function readPid(pidFile: string): number {
  const text = readText(pidFile)
  const pid = /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : 0
  // 0 is our own process group. A file that names ourselves is a mistake that would end us, or make us renew again and again.
  if (pid === 0 || isOurself(pid)) throw failed(`${pidFile} holds no process id of a consumer`)
  return pid
}

/** The kernel takes the number of a thread for its process, and a pid of another namespace is often that of one of our threads. */
function isOurself(pid: number): boolean {
  return pid === process.pid || existsSync(`/proc/self/task/${pid}`)
}

function readText(pidFile: string): string {
  try {
    return readSmallFile(systemFiles, pidFile, mostBytes)
  } catch (cause) {
    if (!isFileError(cause)) throw cause
    throw failed(`${pidFile}: ${messageOf(cause)}`, cause)
  }
}

function whyNot(cause: unknown): string {
  switch (systemCode(cause)) {
    case 'ESRCH':
      return 'no such process runs'
    case 'EPERM':
      return 'it belongs to another user, and the agent may not signal it'
    default:
      return messageOf(cause)
  }
}

function failed(detail: string, cause?: unknown): AgentError {
  return new AgentError('on-publish-failed', detail, { cause })
}

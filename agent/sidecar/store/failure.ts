/** Owns translating system errors of the file system into reasons. */
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'

const codes: Readonly<Record<string, ReasonCode>> = {
  ENOENT: 'directory-missing',
  ENOTDIR: 'directory-occupied',
  EISDIR: 'directory-occupied',
  ENOTEMPTY: 'directory-occupied',
  EEXIST: 'directory-occupied',
  EROFS: 'directory-read-only',
  EACCES: 'directory-denied',
  EPERM: 'directory-denied',
  ENOSPC: 'directory-full',
  EDQUOT: 'directory-full',
  EIO: 'directory-failed',
}

/** Runs file operations; a system error becomes an AgentError that names the directory. Anything else is a bug and passes. */
export function translateFileErrors<Result>(directory: string, operate: () => Result): Result {
  try {
    return operate()
  } catch (cause) {
    const code = systemCode(cause)
    if (cause instanceof AgentError || !/^E[A-Z0-9]+$/.test(code)) throw cause
    throw new AgentError(codes[code] ?? 'directory-failed', `${directory}: ${messageOf(cause)}`, { cause })
  }
}

/** Owns a program that claims a directory, writes a dot once it has it, or the reason why not, and stays until it is killed. */
import { writeSync } from 'node:fs'
import { AgentError } from '../../agent/core/errors.ts'
import { createDirectoryLock } from '../../agent/sidecar/store/directory-lock.ts'

const lock = createDirectoryLock(process.argv[2] ?? '')
try {
  await lock.claim()
  writeSync(1, lock.problem()?.code ?? '.')
} catch (error) {
  writeSync(1, error instanceof AgentError ? error.code : String(error))
}
setInterval(() => {}, 60_000)

/** Owns a program that claims a directory and then has no descriptor left: it can accept nobody. It writes a dot when that is so. */
import { openSync, writeSync } from 'node:fs'
import { createDirectoryLock } from '../../agent/sidecar/store/directory-lock.ts'

const lock = createDirectoryLock(process.argv[2] ?? '')
await lock.claim()
try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  writeSync(1, '.')
}
setInterval(() => {}, 60_000)

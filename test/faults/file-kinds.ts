/** Owns every kind of file that somebody may put under a name of the agent. */
import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { tempDir } from '../support/temp-dir.ts'

const isRoot = process.getuid?.() === 0
/** Stands for the token: it must never be read, copied, or opened for anybody. */
export const secret = 'eyJhbGciOi-the-token-of-the-agent'

export interface Scene {
  /** A file of the agent outside, with the secret in it. */
  readonly victim: string
  readonly elsewhere: string
}

export const kinds: Readonly<Record<string, (path: string, scene: Scene) => unknown>> = {
  pipe: (path) => void execFileSync('mkfifo', [path]),
  'dead socket': leaveSocket,
  directory: (path) => mkdirSync(path),
  'directory with files': (path) => mkdirSync(join(path, 'deep', 'deeper'), { recursive: true }),
  'link to the token': (path: string, { victim }) => symlinkSync(victim, path),
  'link to a directory': (path, { elsewhere }) => symlinkSync(elsewhere, path),
  'link to a device': (path) => symlinkSync('/dev/zero', path),
  'link to nowhere': (path) => symlinkSync('/nowhere/at/all', path),
  'link to itself': (path) => symlinkSync(path, path),
  'file of a tebibyte': (path) => {
    writeFileSync(path, '')
    truncateSync(path, 2 ** 40)
  },
  'file of garbage': (path) => writeFileSync(path, 'garbage'),
  'file without rights': (path) => {
    writeFileSync(path, secret)
    chmodSync(path, 0)
  },
  ...(isRoot
    ? {
        'device zero': (path: string) => void execFileSync('mknod', [path, 'c', '1', '5']),
        'device full': (path: string) => void execFileSync('mknod', [path, 'c', '1', '7']),
      }
    : {}),
}

async function leaveSocket(path: string): Promise<void> {
  const server = createServer()
  const short = join(tempDir(), 's')
  await new Promise<void>((resolve) => server.listen(short, resolve))
  linkSync(short, path)
  await new Promise((resolve) => server.close(resolve))
}

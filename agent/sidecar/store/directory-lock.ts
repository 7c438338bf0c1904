/**
 * Owns the right to write into a directory, which one process at a time has (docs/adr/0011): the one whose listening socket stands
 * there under the name `..lock`. The kernel ends the listening with the process, however it ends, and whoever finds a socket
 * that nobody listens on puts its own in the place. It is a name in a file system, so processes meet there whatever their PID and
 * network namespaces are, and nobody may take part who may not write there.
 *
 * Two that find the same dead socket may both replace it: then the second one has it, and the first one sees that at its next
 * claim. At no moment is it two processes' own socket that stands there.
 */
import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { AgentError, messageOf, systemCode } from '../../core/errors.ts'
import { kindOf } from '../../core/files.ts'

export interface DirectoryLock {
  /**
   * Takes the right, or makes sure that it is still ours.
   * @throws AgentError `directory-in-use`, `directory-occupied` if something else stands in the place, or `directory-failed` if no
   * descriptor is left
   */
  claim(): Promise<void>
  /** Why the right cannot be had from anybody: the file system knows no sockets, say. Writing goes on without it. */
  problem(): AgentError | undefined
  release(): void
}

interface Own {
  readonly server: Server
  /** Of the socket; it is not given to another file while we listen. */
  readonly identity: string
}

export const lockName = '..lock'

/** A local connection is made or refused at once. */
const answerMs = 5000

interface DirectoryLockOptions {
  /** O_NOFOLLOW if the directory itself may be no link. */
  readonly flags?: number
  /** Serves whoever connects. The lock itself only needs the kernel to complete the connection. */
  readonly serve?: (socket: Socket) => void
}

export function createDirectoryLock(
  directory: string,
  { flags = 0, serve = (socket) => void socket.destroy() }: DirectoryLockOptions = {},
): DirectoryLock {
  let own: Own | undefined
  let failure: AgentError | undefined

  const isOwn = (): boolean => own !== undefined && identityOf(join(directory, lockName)) === own.identity

  async function take(inDir: InDirectory): Promise<Own> {
    await requireFree(inDir(lockName))
    const temporary = inDir(`${lockName}_${randomUUID()}`)
    const server = await listen(temporary, serve)
    try {
      const identity = identityOf(temporary) ?? ''
      fs.renameSync(temporary, inDir(lockName))
      removeOthers(inDir)
      return { server, identity }
    } catch (cause) {
      server.close() // And removes its socket.
      if (systemCode(cause) !== 'ENOENT') throw cause
      throw new AgentError('directory-in-use', `${directory}: another process was faster`, { cause })
    }
  }

  async function requireFree(path: string): Promise<void> {
    const standing = fs.lstatSync(path, { throwIfNoEntry: false })
    if (standing === undefined) return
    const name = join(directory, lockName)
    if (!standing.isSocket())
      throw new AgentError('directory-occupied', `${name} is not a socket but ${kindOf(standing)}`)
    const answer = await answerOf(path)
    if (answer instanceof Error) throw answer
    switch (answer) {
      case 'nobody':
        return
      case 'denied': {
        const { uid, mode } = standing
        const whose = `a socket of user ${uid} with mode ${(mode & 0o777).toString(8)}`
        const todo = 'which this agent may not ask whether its process still runs; if none does, remove it'
        throw new AgentError('directory-occupied', `${name} is ${whose}, ${todo}`)
      }
      case 'another-kind':
        throw new AgentError('directory-occupied', `${name} is a socket of another kind`)
      case 'somebody':
        throw new AgentError('directory-in-use', `${directory}: a process listens on ${name}`)
    }
  }

  /**
   * Sockets of processes that ended before they could rename them; one that was about to do so was slower than we. What cannot be
   * removed is in nobody's way.
   */
  function removeOthers(inDir: InDirectory): void {
    for (const name of fs.readdirSync(inDir('.'))) {
      if (name.startsWith(`${lockName}_`)) tryToRemove(inDir(name))
    }
  }

  function release(): void {
    if (isOwn()) tryToRemove(join(directory, lockName))
    own?.server.close()
    own = undefined
  }

  return {
    async claim() {
      if (isOwn()) return
      release()
      failure = undefined
      try {
        own = await withSocketsOf(directory, take, flags)
      } catch (error) {
        if (error instanceof AgentError) throw error
        const code = systemCode(error)
        if (code === '') throw error
        // It passes, and says nothing of the file system: whether somebody has the directory is not known.
        if (meaningOf(code) === 'failed')
          throw new AgentError('directory-failed', `${directory}: ${messageOf(error)}`, { cause: error })
        failure = new AgentError('directory-unlocked', `${directory}: ${messageOf(error)}`, { cause: error })
      }
    },
    problem: () => failure,
    release,
  }
}

/** The path of a name in a directory, by the directory's descriptor. */
type InDirectory = (name: string) => string

/** Opens the directory: by its path, the address of a socket in it might be longer than the 107 bytes that it may have. */
export async function withSocketsOf<Result>(
  directory: string,
  use: (inDir: InDirectory) => Promise<Result>,
  flags = 0,
): Promise<Result> {
  const descriptor = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | flags)
  try {
    return await use((name) => `/proc/self/fd/${descriptor}/${name}`)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Device and inode of what stands under the name. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = fs.lstatSync(path)
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/** A file, link or socket; a directory is not ours. */
function tryToRemove(path: string): void {
  try {
    fs.unlinkSync(path)
  } catch {}
}

/** More at a time than anybody needs, and fewer than would take the descriptors from the rest. */
const mostConnections = 8

/** The kernel completes the connection, also while this process stands still: that is the answer to another agent. */
function listen(path: string, serve: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(serve).unref()
    server.maxConnections = mostConnections
    // Also after it listens: a connection that cannot be accepted (no descriptor left) changes nothing.
    server.on('error', reject)
    // For all: agents of different users must be able to tell a living one from a dead one. By the umask, because a chmod
    // (`readableAll`) follows a link that somebody is fast enough to put there. The socket is made before `listen` returns.
    const before = process.umask(0o111)
    try {
      server.listen(path, () => resolve(server))
    } finally {
      process.umask(before)
    }
  })
}

type Meaning = 'somebody' | 'nobody' | 'another-kind' | 'denied' | 'failed'

const meanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: 'nobody',
  ENOENT: 'nobody',
  EPROTOTYPE: 'another-kind',
  // An agent's own socket is open to all.
  EACCES: 'denied',
  EPERM: 'denied',
  // No descriptor or memory is left here.
  EMFILE: 'failed',
  ENFILE: 'failed',
  ENOBUFS: 'failed',
  ENOMEM: 'failed',
}

/** What a failed connection says of the socket. If a process is too busy to take us, it has the socket. */
export function meaningOf(code: string): Meaning {
  return meanings[code] ?? 'somebody'
}

/** Whether a process listens on the socket; the error if nobody could ask. */
function answerOf(path: string): Promise<Exclude<Meaning, 'failed'> | Error> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (result: Exclude<Meaning, 'failed'> | Error): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(answerMs, () => answer('somebody'))
    socket.once('connect', () => answer('somebody'))
    socket.on('error', (error) => {
      const meaning = meaningOf(systemCode(error))
      answer(meaning === 'failed' ? error : meaning)
    })
  })
}

/** Whether a process has the right to write into the directory; whoever may not ask takes it for so. */
export async function isHeld(directory: string): Promise<boolean> {
  try {
    return await withSocketsOf(directory, async (inDir) => {
      const path = inDir(lockName)
      return fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined && (await answerOf(path)) !== 'nobody'
    })
  } catch (error) {
    if (systemCode(error) === '') throw error
    return systemCode(error) !== 'ENOENT'
  }
}

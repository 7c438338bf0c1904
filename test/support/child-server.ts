/** Owns a real server as a child process: its start, its last words when that fails, and its certain end. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

const keptStderr = 6000
const gracefulStopMs = 5000
const probeEveryMs = 50

export interface ChildServer {
  /** Undefined when the program could not be started at all. */
  readonly pid: number | undefined
  /** The first line of standard output, past or future, for which `pick` gives something. */
  firstLine<T>(pick: (line: string) => T | undefined, timeoutMs: number): Promise<T>
  /** Waits until `probe` gives something; its failures mean "not yet". */
  until<T>(probe: () => Promise<T | undefined>, timeoutMs: number): Promise<T>
  /** SIGTERM, and SIGKILL if that takes too long. Resolves when the process is gone. */
  stop(): Promise<void>
  /** SIGKILL, as after a power cut. Resolves when the process is gone. */
  kill(): Promise<void>
}

export interface ChildServerOptions {
  readonly name: string
  readonly path: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Our own programs also stop when standard input closes, so even a SIGKILL of the test leaves no orphan.
 * Vendors' programs are killed when the test's process exits.
 */
export function spawnServer(options: ChildServerOptions): ChildServer {
  const child = spawn(options.path, options.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  // A write to the standard input of a process that is gone is nobody's error.
  child.stdin.on('error', () => {})
  const output = collectOutput(child)
  const killNow = () => void child.kill('SIGKILL')
  process.once('exit', killNow)
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal === null ? `exit status ${code}` : `signal ${signal}`))
  })
  void gone.then(() => process.removeListener('exit', killNow))

  /** `ready`, unless the process ends or the time is over before. */
  const orFailure = async <T>(ready: Promise<T>, timeoutMs: number): Promise<T> => {
    const timer = new AbortController()
    const failure = (why: string) => new Error(`${options.name}: ${why}\n${output.stderr()}`.trimEnd())
    try {
      return await Promise.race([
        ready,
        gone.then((how) => Promise.reject(failure(`ended before it was ready (${how})`))),
        delay(timeoutMs, undefined, { signal: timer.signal }).then(() =>
          Promise.reject(failure(`not ready after ${timeoutMs} ms`)),
        ),
      ])
    } catch (error) {
      killNow()
      throw error
    } finally {
      timer.abort()
    }
  }

  return {
    pid: child.pid,
    firstLine: (pick, timeoutMs) => orFailure(output.firstLine(pick), timeoutMs),
    until: (probe, timeoutMs) => {
      const over = AbortSignal.timeout(timeoutMs)
      return orFailure(poll(probe, AbortSignal.any([over, signalOf(gone)])), timeoutMs)
    },
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(killNow, gracefulStopMs)
      await gone
      clearTimeout(timer)
    },
    async kill() {
      killNow()
      await gone
    },
  }
}

/** A TCP port of 127.0.0.1 that nobody listens on, below the range from which systems take the ports of clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function collectOutput(child: ChildProcessByStdio<Writable, Readable, Readable>) {
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-keptStderr)
  })
  const lines: string[] = []
  const listeners = new Set<(line: string) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    // Enough for every ready line; a server that goes on talking must not fill the memory.
    if (lines.length < 200) lines.push(line)
    for (const listener of listeners) listener(line)
  })
  return {
    stderr: () => stderr,
    firstLine: <T>(pick: (line: string) => T | undefined) =>
      new Promise<T>((resolve) => {
        const listener = (line: string) => {
          const picked = pick(line)
          if (picked === undefined) return
          listeners.delete(listener)
          resolve(picked)
        }
        listeners.add(listener)
        for (const line of lines) if (listeners.has(listener)) listener(line)
      }),
  }
}

function signalOf(event: Promise<unknown>): AbortSignal {
  const controller = new AbortController()
  void event.then(() => controller.abort())
  return controller.signal
}

/** Never rejects; after `over` it never resolves either, which its caller's race takes care of. */
async function poll<T>(probe: () => Promise<T | undefined>, over: AbortSignal): Promise<T> {
  for (;;) {
    const result = await probe().catch(() => undefined)
    if (result !== undefined) return result
    if (over.aborted) return new Promise<never>(() => {})
    await delay(probeEveryMs)
  }
}

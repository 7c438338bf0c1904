/** Owns one node of the demo: the built agent as a process, and a client that reconnects with its files all the time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { VaultServer } from '../support/vault-server.ts'
import type { DemoEtcd } from './etcd.ts'
import { createTempDirectory, createTempFile } from './temp.ts'

export interface NodeOptions {
  readonly name: string
  readonly vault: Pick<VaultServer, 'address' | 'caFile'>
  readonly etcdCaFile: string
  /** The node's service-account token. */
  readonly jwt: string
  readonly ttlSeconds: number
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string; readonly msg: string }

export interface DemoNode {
  readonly directory: string
  readonly lines: readonly LogLine[]
  /** A log line, past or future. @throws after the time, with what was logged last */
  line(matches: (line: LogLine) => boolean, withinMs: number): Promise<LogLine>
  certificate(): X509Certificate
  readiness(): Promise<{ status: number; body: string }>
  stop(): Promise<number | null>
}

const main = resolve('dist/main.js')

export function environmentOf(
  { name, vault, etcdCaFile, jwt, ttlSeconds }: NodeOptions,
  directory: string,
): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    VAULT_ADDR: vault.address,
    VAULT_CACERT: vault.caFile,
    NODE_NAME: name,
    AGENT_AUTH_METHOD: 'jwt',
    AGENT_AUTH_TOKEN_FILE: createTempFile('token', jwt),
    AGENT_DIR: directory,
    AGENT_ETCD_CA_FILE: etcdCaFile,
    AGENT_TTL: `${ttlSeconds}s`,
    AGENT_LISTEN: '127.0.0.1:0',
  }
}

export function startNode(options: NodeOptions): DemoNode {
  const directory = createTempDirectory(options.name)
  const child = spawn(process.execPath, [main, 'run'], {
    env: environmentOf(options, directory),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const killNow = (): boolean => child.kill('SIGKILL')
  process.once('exit', killNow)
  const { lines, line } = followLog(child)
  const gone = new Promise<number | null>((done) => child.once('exit', done))
  return {
    directory,
    lines,
    line,
    certificate: () => new X509Certificate(readFileSync(join(directory, 'etcd-cert'))),
    async readiness() {
      const { address } = await line(({ event }) => event === 'listening', 5000)
      const answer = await fetch(`http://${String(address)}/readyz`)
      return { status: answer.status, body: await answer.text() }
    },
    async stop() {
      child.kill('SIGTERM')
      const code = await gone
      process.removeListener('exit', killNow)
      return code
    },
  }
}

/** Runs `init` once and answers its exit code. */
export function runInit(
  options: NodeOptions,
  extra: NodeJS.ProcessEnv,
): Promise<{ code: number | null; directory: string; output: string }> {
  const directory = createTempDirectory(options.name)
  const child = spawn(process.execPath, [main, 'init', '--wait', '2s'], {
    env: { ...environmentOf(options, directory), ...extra },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return new Promise((done) => child.once('close', (code) => done({ code, directory, output })))
}

function followLog(child: ChildProcess): Pick<DemoNode, 'lines' | 'line'> {
  const lines: LogLine[] = []
  const listeners = new Set<() => void>()
  if (child.stdout === null) throw new Error('the agent has no standard output')
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as LogLine)
    for (const listener of listeners) listener()
  })
  return {
    lines,
    async line(matches, withinMs) {
      const timeout = AbortSignal.timeout(withinMs)
      for (;;) {
        const found = lines.find(matches)
        if (found !== undefined) return found
        if (timeout.aborted)
          throw new Error(`nothing of that within ${withinMs / 1000} s; last: ${lines.at(-1)?.msg ?? 'nothing'}`)
        await new Promise<void>((wake) => {
          const done = (): void => {
            listeners.delete(done)
            timeout.removeEventListener('abort', done)
            wake()
          }
          listeners.add(done)
          timeout.addEventListener('abort', done)
        })
      }
    },
  }
}

export interface Traffic {
  readonly answered: () => number
  readonly failures: readonly string[]
  stop(): Promise<void>
}

/** A new connection every 50 ms, for as long as it takes. */
export function startTraffic(etcd: DemoEtcd, directory: string): Traffic {
  const failures: string[] = []
  let answered = 0
  let running = true
  const loop = (async () => {
    while (running) {
      const answer = await etcd.ask(directory)
      if (answer === 'ok') answered++
      else failures.push(answer)
      await delay(50)
    }
  })()
  return {
    answered: () => answered,
    failures,
    async stop() {
      running = false
      await loop
    },
  }
}

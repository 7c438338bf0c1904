/**
 * Owns an agent as a process of its own: the built bundle, with an environment that holds nothing but what the test gives. Its
 * log lines can be waited for, its HTTP server asked, and at the end of the test it is killed by its own pid.
 */
import { spawn } from 'node:child_process'
import { get, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { watchSecrets } from './no-secrets.ts'
import type { OnEnd } from './temp-dir.ts'

export interface LoggedLine {
  readonly level: string
  readonly event: string
  readonly msg: string
  readonly component?: string
  readonly reason?: string
  readonly error?: string
  readonly [field: string]: unknown
}

export interface AgentEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface AgentProcessOptions {
  /** Default: `run`. */
  readonly args?: readonly string[]
  /** From agent/, at several times the cost. Default: dist/main.js, which is what is shipped (built.ts). */
  readonly sources?: boolean
  /** A user without rights, where the tests run as root. */
  readonly uid?: number
  /** What starts it, in front of node; it must end in an exec, so that the pid is the agent's. */
  readonly wrapper?: readonly string[]
  /** Default: the end of the test that runs now. */
  readonly onEnd?: OnEnd
  /** How long a log line is waited for. Default: ten seconds. */
  readonly patienceMs?: number
  /** What is started instead of node and the agent's file, such as a container of it. */
  readonly command?: readonly string[]
}

export interface AgentProcess {
  readonly processId: number
  readonly lines: readonly LoggedLine[]
  readonly ended: Promise<AgentEnd>
  /** Standard output and error, all of it. */
  output(): string
  stderr(): string
  /**
   * The first log line, after the one that this answered last, for which `fits` holds: past or future. Rejects after ten
   * seconds (`patienceMs`), or when the process ends.
   */
  nextLine(fits: (line: LoggedLine) => boolean): Promise<LoggedLine>
  signal(name: NodeJS.Signals): void
  /** GET from its HTTP server, once that listens. */
  ask(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

const root = join(import.meta.dirname, '../..')
const longestAnswerMs = 10_000

export function spawnAgent(
  environment: Readonly<Record<string, string>>,
  {
    args = [],
    sources = false,
    uid,
    wrapper = [],
    command,
    onEnd = onTestFinished,
    patienceMs = 10_000,
  }: AgentProcessOptions = {},
): AgentProcess {
  const main = join(root, sources ? 'agent/cli/cli.ts' : 'dist/main.js')
  const [program = process.execPath, ...rest] = command ?? [...wrapper, process.execPath, main, ...args]
  const child = spawn(program, rest, {
    env: { PATH: process.env['PATH'], AGENT_LISTEN: '127.0.0.1:0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const texts = { output: '', stderr: '' }
  const lines: LoggedLine[] = []
  const waiting = new Set<() => void>()
  let seen = 0
  let end: AgentEnd | undefined
  const look = (): void => {
    for (const each of waiting) each()
  }
  child.stderr.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString()
    texts.output += chunk.toString()
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    texts.output += `${line}\n`
    if (!line.startsWith('{')) return
    lines.push(JSON.parse(line) as LoggedLine)
    look()
  })
  const ended = new Promise<AgentEnd>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      end = { code, signal }
      look()
      resolve(end)
    })
  })
  const secretsIn = watchSecrets(environment)
  onEnd(async () => {
    child.kill('SIGKILL')
    await ended
    const told = secretsIn(texts.output)
    if (told.length > 0) throw new Error(`the agent has told the secrets of ${told.join(', ')}`)
  })

  const next = (from: () => number, fits: (line: LoggedLine) => boolean): Promise<number> =>
    new Promise((resolve, reject) => {
      const finish = (): void => {
        waiting.delete(attempt)
        clearTimeout(timer)
      }
      const fail = (why: string): void => {
        finish()
        reject(new Error(`no such log line: ${why}\n${texts.output}`))
      }
      const attempt = (): void => {
        const index = lines.findIndex((line, at) => at >= from() && fits(line))
        if (index >= 0) {
          finish()
          resolve(index)
        } else if (end !== undefined) {
          fail(`the agent ended with ${end.code ?? end.signal}`)
        }
      }
      const timer = setTimeout(() => fail(`waited ${patienceMs} ms`), patienceMs)
      waiting.add(attempt)
      attempt()
    })

  return {
    processId: child.pid ?? -1,
    lines,
    ended,
    output: () => texts.output,
    stderr: () => texts.stderr,
    async nextLine(fits) {
      const index = await next(() => seen, fits)
      seen = index + 1
      return lines[index] as LoggedLine
    },
    signal: (name) => void child.kill(name),
    async ask(path, headers = {}) {
      const index = await next(
        () => 0,
        ({ event }) => event === 'listening',
      )
      return await httpGet(`http://${String(lines[index]?.['address'])}${path}`, headers)
    },
  }
}

function httpGet(url: string, headers: Readonly<Record<string, string>>): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    request.setTimeout(longestAnswerMs, () => request.destroy(new Error(`${url}: no answer in ${longestAnswerMs} ms`)))
    request.on('error', reject)
  })
}

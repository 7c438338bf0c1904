/** Owns a real Prometheus (the distribution's) on loopback, over samples that are given to it: no scraping, no rules. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runPromtool } from './promtool.ts'

export interface Prometheus {
  readonly url: string
  /** Of the HTTP API, each series with its values by time. */
  queryRange(expr: string, range: QueryRange): Promise<RangeSeries[]>
  stop(): Promise<void>
}

export interface QueryRange {
  readonly fromSeconds: number
  readonly toSeconds: number
  readonly stepSeconds: number
}

export interface RangeSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly values: readonly (readonly [seconds: number, value: number])[]
}

const startsWithinMs = 90_000
/** Whatever happens, it does not outlive its user by more. */
const livesAtMostMs = 300_000

/**
 * @param openMetrics file with timestamps
 * @param lookbackSeconds how long a sample stands
 */
export async function startPrometheus(openMetrics: string, lookbackSeconds: number): Promise<Prometheus> {
  const root = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const data = join(root, 'data')
  await runPromtool(['tsdb', 'create-blocks-from', '--max-block-duration=100h', 'openmetrics', openMetrics, data])
  const config = join(root, 'prometheus.yml')
  writeFileSync(config, 'global: {}\n')
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      '--web.listen-address=127.0.0.1:0',
      `--query.lookback-delta=${lookbackSeconds}s`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], timeout: livesAtMostMs },
  )
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill()
    await ended
    rmSync(root, { recursive: true, force: true })
  }
  const log: string[] = []
  const address = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`prometheus ${why}\n${log.join('\n')}`))
    const timer = setTimeout(() => fail('does not listen'), startsWithinMs)
    child.once('error', reject)
    child.once('exit', () => fail('ended'))
    let listening: string | undefined
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line)
      listening = /msg="Listening on" address=(\S+)/.exec(line)?.[1] ?? listening
      if (listening === undefined || !line.includes('Server is ready')) return
      clearTimeout(timer)
      resolve(listening)
    })
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })

  return {
    url: `http://${address}`,
    async queryRange(expr, { fromSeconds, toSeconds, stepSeconds }) {
      const body = new URLSearchParams({
        query: expr,
        start: `${fromSeconds}`,
        end: `${toSeconds}`,
        step: `${stepSeconds}`,
      })
      const response = await fetch(`http://${address}/api/v1/query_range`, { method: 'POST', body })
      const answer = (await response.json()) as {
        status: string
        error?: string
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] }
      }
      if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`)
      return answer.data.result.map(({ metric, values }) => ({
        labels: metric,
        values: values.map(([seconds, value]) => [seconds, Number(value)] as const),
      }))
    },
    stop,
  }
}

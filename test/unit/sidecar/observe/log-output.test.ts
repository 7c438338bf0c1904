/** What stands behind standard output, in each of its bad states: the process goes on, and says later what was lost. */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

/** Logs as told on standard input, one number of lines after the other, and answers each on descriptor 3. */
const script = `
  import { writeSync } from 'node:fs'
  import { createInterface } from 'node:readline'
  import { createLog } from './agent/sidecar/observe/log.ts'
  const log = createLog({ level: 'info', format: 'json' }, { now: Date.now })
  const bytes = 'x'.repeat(1000)
  for await (const line of createInterface({ input: process.stdin })) {
    for (let index = 0; index < Number(line); index++) log({ type: 'stopped', signal: bytes })
    writeSync(3, 'done')
  }`

function start(stdout: number | 'pipe') {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    stdio: ['pipe', stdout, 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [input, output, errors, answers] = child.stdio
  if (input === null || errors === null || answers === undefined || answers === null) throw new Error('no pipes')
  return {
    input,
    output,
    errors,
    ended: new Promise<number | null>((resolve) => child.once('close', resolve)),
    log: (lines: number) =>
      new Promise<void>((resolve) => {
        answers.once('data', () => resolve())
        input.write(`${lines}\n`)
      }),
  }
}

const linesOf = (output: string): { event: string; lines?: number }[] =>
  output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; lines?: number })

describe('the program goes on', () => {
  test('on a full disk', async () => {
    const full = openSync('/dev/full', 'w')
    const { input, log, ended, errors } = start(full)
    closeSync(full)
    await log(3)
    await log(3)
    input.end()
    expect(await ended).toBe(0)
    expect(await text(errors)).toBe('')
  })

  test('on a disk that has room again: what was lost is told', () => {
    const file = join(tempDir(), 'log')
    // A file of at most four kilobytes, in blocks of one; its signal is ignored, so that writing fails.
    const limited = `trap '' XFSZ; ulimit -S -f 4; exec "$@"`
    const raising = `
      import { execFileSync } from 'node:child_process'
      import { createLog } from './agent/sidecar/observe/log.ts'
      const log = createLog({ level: 'info', format: 'json' }, { now: Date.now })
      for (let index = 0; index < 10; index++) log({ type: 'stopped', signal: 'x'.repeat(1000) })
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited'])
      log({ type: 'stopped', signal: 'SIGTERM' })`
    const output = openSync(file, 'a')
    const node = [process.execPath, '--input-type=module-typescript', '--eval', raising]
    const { status } = spawnSync('bash', ['-c', limited, 'bash', ...node], { stdio: ['ignore', output, 'inherit'] })
    closeSync(output)
    expect(status).toBe(0)
    const written = readFileSync(file, 'utf8')
    const last = written.slice(written.indexOf('{"level":"warn"'))
    expect(linesOf(last)).toMatchObject([
      { event: 'log-lost', lines: expect.any(Number) as number },
      { event: 'stopped' },
    ])
  })

  test('behind a pipe that nobody holds any more', async () => {
    const { input, output, log, ended, errors } = start('pipe')
    await log(1)
    output?.destroy()
    await log(100)
    await log(100)
    input.end()
    expect(await ended).toBe(0)
    expect(await text(errors)).toBe('')
  })

  test('behind a reader that stands still, which reads later how much it has missed', async () => {
    const { input, output, log, ended } = start('pipe')
    await log(5000)
    let read = ''
    const hasRead = new Promise<void>((resolve) => {
      output?.on('data', (chunk: Buffer) => {
        read += chunk.toString()
        // Most of what waited for the reader: there is room for more.
        if (read.length > 900_000) resolve()
      })
    })
    await hasRead
    await log(1)
    input.end()
    expect(await ended).toBe(0)
    expect(read.length).toBeLessThan(2_000_000)
    expect(linesOf(read).at(-2)).toMatchObject({ event: 'log-lost', lines: expect.any(Number) as number })
  })
})

/** The pid file: whatever it holds, the agent never signals itself, and says why it signals nobody. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { signalProcess } from '../../../../agent/sidecar/on-publish/signal.ts'

function pidFile(text: string): string {
  const root = mkdtempSync(join(tmpdir(), 'signal-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  writeFileSync(join(root, 'consumer.pid'), text)
  return join(root, 'consumer.pid')
}

it.each(['', '0', '-1', 'seven', '1 2', '4194304000', String(process.pid)])('%j is no consumer', (text) => {
  const file = pidFile(text)
  expect(() => signalProcess('SIGHUP', file)).toThrow(`${file} holds no process id of a consumer`)
})

it('a thread of the agent is the agent itself: a pid of another namespace often names one', () => {
  const threads = readdirSync('/proc/self/task').filter((each) => Number(each) !== process.pid)
  expect(threads.length).toBeGreaterThan(0)
  let signals = 0
  const count = (): void => void signals++
  process.on('SIGWINCH', count)
  onTestFinished(() => void process.off('SIGWINCH', count))
  for (const each of threads) {
    const file = pidFile(`${each}\n`)
    expect(() => signalProcess('SIGWINCH', file)).toThrow(`${file} holds no process id of a consumer`)
  }
})

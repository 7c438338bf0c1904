/** Node names from a file and from standard input. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createNodeFile, createNodeInput } from '../../../../agent/operator/provision/node-file.ts'
import type { NodeSource } from '../../../../agent/operator/provision/provisioner.ts'
import { watchFiles } from '../../../../agent/sidecar/store/watch.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

/** What the source tells, one by one, for as long as the test runs. */
function listen(source: NodeSource) {
  const told: string[] = []
  const waiting: (() => void)[] = []
  const tell = (text: string): void => {
    told.push(text)
    waiting.shift()?.()
  }
  const stop = new AbortController()
  const running = source.run(
    {
      nodes: (names) => tell([...names].join(' ')),
      reached: () => {},
      failed: ({ code, message }) => tell(`${code}: ${message}`),
    },
    stop.signal,
  )
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  let read = 0
  const next = async (): Promise<string> => {
    if (told.length === read) await new Promise<void>((resolve) => waiting.push(resolve))
    return told[read++] ?? ''
  }
  return { next, told }
}

describe('standard input', () => {
  it('tells a list at every empty line, and the last one at its end; that one stands', async () => {
    const input = new PassThrough()
    const clock = createFakeClock()
    const { next, told } = listen(createNodeInput(input, clock))
    input.write('node1\nnode2 # a comment\n\n\nnode1\n')
    expect(await next()).toBe('node1 node2')
    input.end('node3')
    expect(await next()).toBe('node1 node3')
    await clock.nextSleep()
    expect(told).toHaveLength(2)
  })

  it('with a bad list tells why, and goes on with the next one', async () => {
    const input = new PassThrough()
    const { next } = listen(createNodeInput(input, createFakeClock()))
    input.write('node1\n../etc\n\nnode1\n\n')
    expect(await next()).toMatch(/^nodes-invalid: standard input: .*\.\.\/etc.* is not the name of a node/)
    expect(await next()).toBe('node1')
  })
})

describe('a file', () => {
  it('is read again when it changes, is replaced, is removed and comes back', async () => {
    const directory = tempDir()
    const file = join(directory, 'nodes')
    writeFileSync(file, 'node1\n')
    const source = listen(createNodeFile(file, createFakeClock(), watchFiles))
    expect(await source.next()).toBe('node1')
    writeFileSync(`${file}.new`, 'node1\nnode2\n')
    renameSync(`${file}.new`, file)
    // A change may be told more than once.
    await expect.poll(() => source.told.at(-1)).toBe('node1 node2')
    rmSync(file)
    await expect.poll(() => source.told.at(-1)).toMatch(/^nodes-invalid: .*ENOENT/)
    writeFileSync(file, 'node3\n')
    await expect.poll(() => source.told.at(-1)).toBe('node3')
  })

  it('is read every minute where nothing tells of changes', async () => {
    const file = join(tempDir(), 'nodes')
    writeFileSync(file, 'node1\n')
    const clock = createFakeClock()
    const source = listen(createNodeFile(file, clock, watchFiles))
    expect(await source.next()).toBe('node1')
    await clock.nextSleep()
    clock.advance(60_000)
    expect(await source.next()).toBe('node1')
  })
})

/** A program that publishes without a pause and is killed (SIGKILL) at random moments: its directory is always whole. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import type { BundleText } from '../../agent/pki/bundle.ts'
import { openSecretDir } from '../../agent/sidecar/store/secret-dir.ts'
import { tempDir } from '../support/temp-dir.ts'
import { attributes, createBundles, litterIn, readNames, readResolved, texts } from '../unit/sidecar/store/bundles.ts'

const root = join(import.meta.dirname, '../..')
const seed = 20_261_121
let bundles: BundleText[]

beforeAll(async () => {
  bundles = await createBundles(3)
})

interface Publisher {
  /** Resolves once so many more bundles have been published. */
  published(count: number): Promise<void>
  kill(): Promise<void>
}

function startPublisher(directory: string): Publisher {
  const bundlesFile = join(tempDir(), 'bundles.json')
  const plain = bundles.map(({ ca, certificate, key }) => ({ ca, certificate, key: key.reveal() }))
  writeFileSync(bundlesFile, JSON.stringify(plain))
  const args = [join(import.meta.dirname, 'publish-loop.ts'), directory, bundlesFile]
  const child: ChildProcess = spawn(join(root, 'node_modules/.bin/node'), args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(() => void child.kill('SIGKILL'))
  let dots = 0
  let waiting: { readonly until: number; readonly resolve: () => void } | undefined
  child.stdout?.on('data', (chunk: Buffer) => {
    dots += chunk.length
    if (waiting !== undefined && dots >= waiting.until) waiting.resolve()
  })
  return {
    published: (count) =>
      Promise.race([
        new Promise<void>((resolve) => {
          waiting = { until: dots + count, resolve }
        }),
        ended.then(() => {
          throw new Error('the publisher has ended by itself')
        }),
      ]),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Small random numbers, the same ones in every run (Park and Miller). */
function createRandom(start: number): () => number {
  let state = start
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

test('killed twenty times, it has always left a whole bundle, which the next start takes up', {
  timeout: 60_000,
}, async () => {
  const random = createRandom(seed)
  const directory = tempDir()
  const whole = bundles.map(texts)
  for (let round = 0; round < 20; round++) {
    const publisher = startPublisher(directory)
    await publisher.published(1 + Math.floor(random() * 40))
    // Not at the moment of a dot: somewhere in the publications that follow it.
    for (let spin = Math.floor(random() * 200_000); spin > 0; spin--) random()
    await publisher.kill()
    expect(whole).toContainEqual(readNames(directory))
    const current = openSecretDir(directory, attributes).current()
    expect(current?.leaf.checkPrivateKey(current.key)).toBe(true)
  }
  openSecretDir(directory, attributes).publish(bundles[0] as BundleText, new Date())
  expect(litterIn(directory)).toEqual([])
})

test('a reader that resolves ..data once never has a mixture', async () => {
  const directory = tempDir()
  const publisher = startPublisher(directory)
  await publisher.published(1)
  const whole = new Set(bundles.map((bundle) => JSON.stringify(texts(bundle))))
  const seen = new Set<string>()
  let reads = 0
  const mixtures: unknown[] = []
  while (reads < 2000 || seen.size < whole.size) {
    const found = readResolved(directory)
    // Two publications in the time of one reading: the generation is gone, and the reader begins again.
    if (!found.includes(undefined)) {
      reads++
      seen.add(JSON.stringify(found))
      if (!whole.has(JSON.stringify(found))) mixtures.push(found)
    }
    // The publisher's dots must be read, or it stands still.
    if (reads % 50 === 0) await publisher.published(1)
  }
  expect(mixtures).toEqual([])
  await publisher.kill()
})

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { type Bundle, parseBundle } from '../../../agent/pki/bundle.ts'
import { createHostCopy, type HostCopy } from '../../../agent/sidecar/host-copy.ts'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import { openHostCniDir } from '../../../agent/sidecar/store/host-cni-dir.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createBundles, readNames, texts } from './store/bundles.ts'

const [firstText, secondText] = (await createBundles(2)) as [Bundle['text'], Bundle['text']]
const first = parseBundle(firstText, 'first')
const second = parseBundle(secondText, 'second')

let netDir: string
let tlsDir: string
let clock: FakeClock
let events: AgentEvent[]
let published: Bundle | undefined
let copy: HostCopy

beforeEach(() => {
  netDir = tempDir()
  tlsDir = join(netDir, 'calico-tls')
  clock = createFakeClock()
  events = []
  published = first
  copy = createHostCopy({
    component: 'calico-cni',
    directory: openHostCniDir(netDir, 'calico-tls'),
    published: () => published,
    clock,
    random: () => 0.5,
    emit: (event) => void events.push(event),
  })
})

/** Runs the loop until it sleeps; answers for how long. */
async function start(): Promise<number> {
  const stop = new AbortController()
  const running = copy.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  return await clock.nextSleep()
}

async function look(): Promise<number> {
  copy.recheck()
  return await clock.nextSleep()
}

test('without a certificate there is nothing to copy, and nothing to tell', async () => {
  published = undefined
  mkdirSync(tlsDir)
  await start()
  expect(events).toEqual([])
  expect(readNames(tlsDir)).toEqual([undefined, undefined, undefined])
})

test('is written at once where install-cni has been, told once, and followed with every publication', async () => {
  mkdirSync(tlsDir)
  await start()
  await look()
  const { serialNumber } = first.leaf
  expect(events).toEqual([
    {
      type: 'host-copied',
      component: 'calico-cni',
      path: tlsDir,
      written: true,
      serialNumber,
      notAfterMs: first.leaf.validToDate.getTime(),
    },
  ])
  published = second
  await look()
  expect(events.at(-1)).toMatchObject({ type: 'host-copied', written: true, serialNumber: second.leaf.serialNumber })
  expect(readNames(tlsDir)).toEqual(texts(second.text))
})

test('is awaited where install-cni has not been: told once aloud, looked for in seconds, then every minute', async () => {
  const waits = [await start()]
  for (let count = 0; count < 5; count++) {
    clock.advance(waits.at(-1) ?? 0)
    waits.push(await clock.nextSleep())
  }
  expect(waits.map((ms) => Math.round(ms / 1000))).toEqual([1, 2, 5, 60, 60, 60])
  expect(events.map((event) => event.type === 'host-copy-failed' && [event.reason, event.repeated])).toEqual([
    ['host-copy-absent', false],
    ...Array.from({ length: 5 }, () => ['host-copy-absent', true]),
  ])
  mkdirSync(tlsDir)
  await look()
  expect(events.at(-1)).toMatchObject({ type: 'host-copied', written: true })
})

test('what was removed meanwhile is noticed without a watch, and told as a new failure', async () => {
  mkdirSync(tlsDir)
  const waitMs = await start()
  rmSync(tlsDir, { recursive: true })
  clock.advance(waitMs)
  await clock.nextSleep()
  expect(events.at(-1)).toMatchObject({ type: 'host-copy-failed', reason: 'host-copy-absent', repeated: false })
  mkdirSync(tlsDir)
  await look()
  // The very certificate that it held before: it is told all the same that it is back.
  expect(events.at(-1)).toMatchObject({ type: 'host-copied', written: true })
})

test('ends with the stop', async () => {
  const stop = new AbortController()
  const running = copy.run(stop.signal)
  await clock.nextSleep()
  stop.abort()
  await running
  expect(clock.sleeping()).toBe(0)
})

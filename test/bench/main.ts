/**
 * Owns `npm run bench`: figures of the built agent against a development Vault in another process, as one JSON on standard
 * output. `--agent COMMAND` measures another program in the same way beside it; the command finds VAULT_ADDR, VAULT_CACERT,
 * NODE_NAME, AGENT_AUTH_TOKEN_FILE (a JWT) and AGENT_DIR (where it has to write) in its environment.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import { startHandshakes } from './handshakes.ts'
import { readCpuMs, readMemory } from './process-stats.ts'
import { otherAgent, ourAgent, type Run, type Subject, startSubject } from './subject.ts'
import { rounded, summarize } from './summary.ts'

const { values: options } = parseArgs({
  options: {
    agent: { type: 'string' },
    runs: { type: 'string', default: '15' },
    idle: { type: 'string', default: '20' },
  },
})
const runs = Number(options.runs)
const idleSeconds = Number(options.idle)
const rotations = 10
/** V8 tidies its heap once, about ten seconds after the last work. */
const settleMs = 12_000

const subjects = [ourAgent(), ...(options.agent === undefined ? [] : [otherAgent(options.agent)])]
const vault = await startDevVaultProcess()
try {
  const coldStarts = await measureColdStarts(subjects)
  const figures: Record<string, object> = {}
  for (const subject of subjects) {
    figures[subject.name] = { coldStartMs: coldStarts.get(subject.name), ...(await measureSteady(subject)) }
  }
  const nodeStartMs = coldStarts.get('node')
  const [ours, ...others] = subjects.map(({ name }) => figures[name])
  const report = {
    node: process.version,
    nodeStartMs,
    ...ours,
    bundleKiB: bundleKiB(),
    ...(others.length > 0 ? { peers: figures } : {}),
  }
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
} finally {
  await vault.stop()
}

/** In turn, so that a slow moment of the machine meets all of them. */
async function measureColdStarts(measured: readonly Subject[]): Promise<Map<string, object>> {
  const times = new Map<string, number[]>()
  const record = (name: string, ms: number): unknown => times.set(name, [...(times.get(name) ?? []), ms])
  for (let round = 0; round <= runs; round++) {
    const startedAt = performance.now()
    spawnSync(process.execPath, ['-e', '0'])
    const nodeMs = performance.now() - startedAt
    if (round > 0) record('node', nodeMs)
    for (const subject of measured) {
      const run = await startSubject(subject, vault)
      // The first round only warms the file cache.
      if (round > 0) record(subject.name, run.publishedAfterMs)
      await run.stop()
    }
  }
  return new Map([...times].map(([name, each]) => [name, summarize(each, 1)]))
}

async function measureSteady(subject: Subject): Promise<object> {
  await vault.requestCount()
  const before = await vault.requestCount()
  const run = await startSubject(subject, vault)
  try {
    await delay(settleMs)
    const start = (await vault.requestCount()) - before
    const steady = readMemory(run.pid)
    const cpuBefore = readCpuMs(run.pid)
    await delay(idleSeconds * 1000)
    const idleCpuMsPerS = rounded((readCpuMs(run.pid) - cpuBefore) / idleSeconds)
    const rotation = subject.isOurs ? await measureRotations(run) : undefined
    const after = readMemory(run.pid)
    return {
      rssMiB: { steady: rounded(steady.rss, 1), afterRotations: rounded(after.rss, 1) },
      pssMiB: { steady: rounded(steady.pss, 1), afterRotations: rounded(after.pss, 1) },
      peakRssMiB: rounded(after.peak, 1),
      idleCpuMsPerS,
      vaultRequests: { start, perRotation: rotation?.requestsPerRotation },
      publishMs: rotation?.publishMs,
      handshakeGapMs: rotation?.handshakeGapMs,
      handshakeFailures: rotation?.handshakeFailures,
    }
  } finally {
    await run.stop()
  }
}

/** Our agent renews on SIGHUP; with the default of 24 h no other renewal falls into the measurement. */
async function measureRotations(run: Run): Promise<object & Record<string, unknown>> {
  const before = await vault.requestCount()
  const handshakes = await startHandshakes(run.directory)
  for (let rotation = 0; rotation < rotations; rotation++) {
    const serial = run.serial()
    process.kill(run.pid, 'SIGHUP')
    while (run.serial() === serial) await delay(5)
    await delay(200)
  }
  const { gapsMs, failures } = await handshakes.stop()
  const requestsPerRotation = ((await vault.requestCount()) - before) / rotations
  await delay(settleMs)
  const published = run
    .output()
    .matchAll(
      /"durationMs":([\d.]+)[^\n]*"reason":"renewal-requested"|"reason":"renewal-requested","durationMs":([\d.]+)/g,
    )
  return {
    requestsPerRotation,
    publishMs: summarize([...published].map(([, one, other]) => Number(one ?? other))),
    handshakeGapMs: summarize(gapsMs),
    handshakeFailures: failures,
  }
}

/** What the image adds to its base. */
function bundleKiB(): Record<string, number> {
  return Object.fromEntries(readdirSync('dist').map((name) => [name, rounded(statSync(`dist/${name}`).size / 1024, 1)]))
}

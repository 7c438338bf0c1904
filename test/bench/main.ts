/**
 * Owns `npm run bench`: figures of the built agent against a development Vault in another process, as one JSON on standard
 * output. `--vault real` takes the real Vault of `npm run servers` instead, which does not count requests. `--agent COMMAND`
 * measures another program in the same way beside it; the command finds VAULT_ADDR, VAULT_CACERT, NODE_NAME,
 * AGENT_AUTH_TOKEN_FILE (a JWT) and AGENT_DIR (where it has to write) in its environment. `--vault-agent 'PROGRAM'` measures
 * Vault Agent; the program is HashiCorp's `vault` or OpenBao's `bao`, and it needs the real Vault. `--starts-only` leaves out
 * memory and rotations.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import { startHandshakes } from './handshakes.ts'
import { readCpuMs, readMemory } from './process-stats.ts'
import { otherAgent, ourAgent, type Run, type Subject, startSubject, vaultAgent } from './subject.ts'
import { rounded, summarize } from './summary.ts'
import { type BenchVault, startRealBenchVault } from './vault.ts'

const { values: options } = parseArgs({
  options: {
    vault: { type: 'string', default: 'dev' },
    agent: { type: 'string' },
    'vault-agent': { type: 'string' },
    'starts-only': { type: 'boolean', default: false },
    runs: { type: 'string', default: '15' },
    idle: { type: 'string', default: '20' },
  },
})
const runs = Number(options.runs)
const idleSeconds = Number(options.idle)
const rotations = 10
/** V8 tidies its heap once, about ten seconds after the last work. */
const settleMs = 12_000

const subjects = [
  ourAgent(),
  ...(options.agent === undefined ? [] : [otherAgent(options.agent)]),
  ...(options['vault-agent'] === undefined ? [] : [vaultAgent(options['vault-agent'])]),
]
const vault: BenchVault = options.vault === 'real' ? await startRealBenchVault() : await startDevVaultProcess()
try {
  const coldStarts = await measureColdStarts(subjects)
  const figures: Record<string, object> = {}
  for (const subject of subjects) {
    figures[subject.name] = {
      coldStartMs: coldStarts.get(subject.name),
      coldStartCpuMs: coldStarts.get(`${subject.name} cpu`),
      ...(options['starts-only'] ? {} : await measureSteady(subject)),
    }
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
      if (round > 0) {
        record(subject.name, run.publishedAfterMs)
        record(`${subject.name} cpu`, run.publishedAfterCpuMs)
      }
      await run.stop()
    }
  }
  return new Map([...times].map(([name, each]) => [name, summarize(each, 1)]))
}

async function measureSteady(subject: Subject): Promise<object> {
  await vault.requestCount?.()
  const before = await vault.requestCount?.()
  const run = await startSubject(subject, vault)
  try {
    await delay(settleMs)
    const start = await requestsSince(before)
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
  const before = await vault.requestCount?.()
  const handshakes = await startHandshakes(run.directory)
  for (let rotation = 0; rotation < rotations; rotation++) {
    const serial = run.serial()
    process.kill(run.pid, 'SIGHUP')
    while (run.serial() === serial) await delay(5)
    await delay(200)
  }
  const { gapsMs, failures } = await handshakes.stop()
  const requests = await requestsSince(before)
  await delay(settleMs)
  const published = run
    .output()
    .matchAll(
      /"durationMs":([\d.]+)[^\n]*"reason":"renewal-requested"|"reason":"renewal-requested","durationMs":([\d.]+)/g,
    )
  return {
    requestsPerRotation: requests && requests / rotations,
    publishMs: summarize([...published].map(([, one, other]) => Number(one ?? other))),
    handshakeGapMs: summarize(gapsMs),
    handshakeFailures: failures,
  }
}

async function requestsSince(before: number | undefined): Promise<number | undefined> {
  const now = await vault.requestCount?.()
  return now === undefined || before === undefined ? undefined : now - before
}

/** What the image adds to its base. */
function bundleKiB(): Record<string, number> {
  return Object.fromEntries(readdirSync('dist').map((name) => [name, rounded(statSync(`dist/${name}`).size / 1024, 1)]))
}

/**
 * Owns `npm run bench:probe`: what the etcd probe costs the built agent, in time and memory, against a development Vault and a
 * real etcd with authentication. One JSON on standard output. `--dist name=DIRECTORY`, any number of times, measures other
 * builds beside it, such as one whose probe.js is made of a library (docs/adr/0008).
 */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { startRealEtcd } from '../support/real-etcd.ts'
import { readMemory } from './process-stats.ts'
import { ourAgent, type Run, type Subject, startSubject } from './subject.ts'
import { rounded, summarize } from './summary.ts'

const { values: options } = parseArgs({
  options: {
    dist: { type: 'string', multiple: true, default: [] },
    runs: { type: 'string', default: '9' },
  },
})
const rotations = 10
/** V8 tidies its heap once, about ten seconds after the last work. */
const settleMs = 12_000

interface Variant {
  readonly subject: Subject
  readonly env: NodeJS.ProcessEnv
}

const vault = await startDevVaultProcess()
const etcd = await startRealEtcd({ clientCaPem: `${await readRoot()}\n` })
try {
  await addUser()
  const always = { AGENT_ETCD_CA_FILE: etcd.caFile, AGENT_LOG_LEVEL: 'debug' }
  const asking = { ...always, AGENT_ETCD_PROBE: 'require', ETCD_ENDPOINTS: etcd.endpoint }
  const variants: Record<string, Variant> = {
    off: { subject: ourAgent(), env: always },
    require: { subject: ourAgent(), env: asking },
  }
  for (const each of options.dist) {
    const [name = '', directory = ''] = each.split('=')
    variants[name] = { subject: builtIn(directory), env: asking }
  }
  const starts = await measureStarts(variants)
  const report: Record<string, object> = {}
  for (const [name, variant] of Object.entries(variants)) {
    report[name] = { coldStartMs: summarize(starts.get(name) ?? [], 1), ...(await measureSteady(variant)) }
  }
  process.stdout.write(`${JSON.stringify({ node: process.version, ...report }, null, 2)}\n`)
} finally {
  await etcd.stop()
  await vault.stop()
}

function builtIn(directory: string): Subject {
  const ours = ourAgent()
  const [program, ...args] = ours.command
  return { ...ours, command: [program, ...args.slice(0, -1), `${directory}/main.js`] }
}

async function addUser(): Promise<void> {
  const auth = etcdAuth(await etcd.client('root'))
  await auth.addRole('calico-node')
  await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
  await auth.addUser('calico-node:node1')
  await auth.grantRole('calico-node:node1', 'calico-node')
  await auth.enable()
}

/** In turn, so that a slow moment of the machine meets all of them; the first round only warms the file cache. */
async function measureStarts(variants: Readonly<Record<string, Variant>>): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>()
  for (let round = 0; round <= Number(options.runs); round++) {
    for (const [name, { subject, env }] of Object.entries(variants)) {
      const run = await startSubject(subject, vault, env)
      if (round > 0) times.set(name, [...(times.get(name) ?? []), run.publishedAfterMs])
      await run.stop()
    }
  }
  return times
}

async function measureSteady({ subject, env }: Variant): Promise<object> {
  const run = await startSubject(subject, vault, env)
  try {
    await delay(settleMs)
    const steady = readMemory(run.pid)
    for (let rotation = 0; rotation < rotations; rotation++) await rotate(run)
    await delay(settleMs)
    const after = readMemory(run.pid)
    const probes = [...run.output().matchAll(/"durationMs":([\d.]+)[^\n]*etcd accepts/g)].map(([, ms]) => Number(ms))
    return {
      rssMiB: { steady: rounded(steady.rss, 1), afterRotations: rounded(after.rss, 1) },
      pssMiB: { steady: rounded(steady.pss, 1), afterRotations: rounded(after.pss, 1) },
      peakRssMiB: rounded(after.peak, 1),
      ...(probes.length > 1 ? { firstProbeMs: probes[0], laterProbesMs: summarize(probes.slice(1), 1) } : {}),
    }
  } finally {
    await run.stop()
  }
}

async function rotate(run: Run): Promise<void> {
  const serial = run.serial()
  process.kill(run.pid, 'SIGHUP')
  while (run.serial() === serial) await delay(5)
  await delay(200)
}

/** The CA that signs the clients' certificates. */
function readRoot(): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`${vault.address}/v1/pki/ca/pem`, { ca: readFileSync(vault.caFile) }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('end', () => resolve(text))
    })
    asked.on('error', reject)
    asked.end()
  })
}

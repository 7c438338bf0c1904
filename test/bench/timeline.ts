/**
 * Owns `npm run bench:timeline`: where the milliseconds of a cold start go, seen from outside. A proxy notes when the agent connects and
 * asks; that it has published is seen within a millisecond. Medians of `--runs` starts, in milliseconds after the start of the process.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startDevVaultProcess } from '../support/dev-vault/process.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { ourAgent, startSubject } from './subject.ts'
import { summarize } from './summary.ts'

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '15' } } })
const milestones = ['connected to Vault', 'issuers', 'issuer', 'login', 'signature asked for', 'published'] as const

const vault = await startDevVaultProcess()
const proxy = await startFaultProxy({ address: vault.address, caPem: readFileSync(vault.caFile, 'utf8') })
const times = milestones.map((): number[] => [])
try {
  for (let round = 0; round <= Number(options.runs); round++) {
    const [connection, request] = [proxy.connections.length, proxy.requests.length]
    const startedAt = performance.timeOrigin + performance.now()
    const run = await startSubject(ourAgent(), vault, { VAULT_ADDR: proxy.address, VAULT_CACERT: proxy.caFile })
    const asked = proxy.requests.slice(request).map(({ atMs }) => atMs)
    const moments = [proxy.connections[connection], ...asked, startedAt + run.publishedAfterMs]
    await run.stop()
    if (moments.length !== milestones.length) throw new Error(`${moments.length} milestones`)
    // The first round only warms the file cache.
    if (round > 0) for (const [index, at] of moments.entries()) times[index]?.push((at ?? 0) - startedAt)
  }
  const medians = milestones.map((name, index) => [name, summarize(times[index] ?? [], 1).median])
  process.stdout.write(`${JSON.stringify(Object.fromEntries(medians), null, 2)}\n`)
} finally {
  await proxy.stop()
  await vault.stop()
}

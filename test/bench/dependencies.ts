/**
 * Owns `npm run bench:dependencies`: what each runtime dependency costs in memory and time when it is loaded whole into a bare Node. The
 * bundles hold less of them (build/slim.ts) and load them late; this says what there is to save.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { summarize } from './summary.ts'

const runs = 5
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }

/** In a process of its own: RSS in MiB after a garbage collection, and the milliseconds of the import. */
const program = `
  const startedAt = performance.now()
  if (process.argv[1]) await import(process.argv[1])
  const ms = performance.now() - startedAt
  gc()
  const rss = /VmRSS:\\s+(\\d+)/.exec((await import('node:fs')).readFileSync('/proc/self/status', 'utf8'))[1] / 1024
  console.log(JSON.stringify({ ms, rss }))
`

function load(name: string): { rss: number; ms: number } {
  const flags = ['--expose-gc', '--max-semi-space-size=1', '--input-type=module', '-e', program, name]
  const each = Array.from({ length: runs }, () =>
    JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' })),
  ) as { rss: number; ms: number }[]
  return { rss: summarize(each.map(({ rss }) => rss)).median, ms: summarize(each.map(({ ms }) => ms)).median }
}

const bare = load('')
const costs = Object.keys(dependencies).map((name) => {
  const { rss, ms } = load(name)
  return [name, { rssMiB: Number((rss - bare.rss).toFixed(1)), loadMs: Number((ms - bare.ms).toFixed(1)) }]
})
const bareNode = { rssMiB: Number(bare.rss.toFixed(1)) }
process.stdout.write(`${JSON.stringify({ bareNode, ...(Object.fromEntries(costs) as object) }, null, 2)}\n`)

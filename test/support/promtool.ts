/** Owns calls of Prometheus' own tool, the distribution's. */
import { execFile, spawnSync } from 'node:child_process'

export const hasPromtool = spawnSync('promtool', ['--version']).status === 0

/** What it prints. Rejects with its words where it fails. */
export async function runPromtool(args: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile('promtool', args, { timeout: 120_000, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}`, { cause: error }))
    })
  })
}

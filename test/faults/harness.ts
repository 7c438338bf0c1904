/**
 * Owns one row of the fault matrix from its first certificate to its last: does the fault, watches the directory all the time,
 * asks the agent what is wrong, ends the fault, and waits for the agent to help itself.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type ReasonCode, reasons } from '../../agent/core/reason-catalog.ts'
import type { AgentProcess, LoggedLine } from '../support/agent-process.ts'
import { at } from '../support/https-json.ts'
import type { FaultRow, Outcome, RunOptions, Stage } from './row.ts'
import { createStage } from './stage.ts'
import { type DirectoryWatch, watchDirectory } from './watch.ts'

const visibleWithinSeconds = 10
/** Three quick tries and one more in the first minute, each with at most a look at the issuers, a login and two signatures. */
const mostRequestsPerMinute = 30
const lookEveryMs = 25

export async function runRow(row: FaultRow, { lab, node, holdMs, onEnd }: RunOptions): Promise<Outcome> {
  const stage = await createStage(row, lab, node, onEnd)
  const { agent, directory } = stage
  const watch = watchDirectory(directory, `calico-node:${node}`)
  onEnd(() => watch.stop())
  const problems: string[] = []
  const said: string[] = []

  const injectedAt = performance.now()
  await row.inject(stage)
  const askedAt = performance.now()
  agent.signal('SIGHUP')
  const told = row.reasons.length > 0 ? await untilTold(agent, row.reasons, said) : await untilRenewed(agent, watch)
  const visibleAfterSeconds = (performance.now() - askedAt) / 1000
  if (visibleAfterSeconds > visibleWithinSeconds) problems.push(`told only after ${visibleAfterSeconds.toFixed(1)} s`)
  await delay(holdMs)

  const before = watch.seen
  await row.recover(stage)
  const endedAt = performance.now()
  const within = row.recoversWithinSeconds ?? 45
  if (row.reasons.length > 0) {
    while (watch.seen === before && performance.now() - endedAt < within * 1000) await delay(lookEveryMs)
  }
  const recoveredAfterSeconds = (performance.now() - endedAt) / 1000
  if (row.reasons.length > 0 && watch.seen === before) problems.push(`no new certificate within ${within} s`)
  const judged = await judge(stage, watch, said)
  return {
    group: row.group,
    name: row.name,
    outcome: told,
    ...(row.reasons.length === 0 ? {} : { visibleAfterSeconds, recoveredAfterSeconds, recoversWithinSeconds: within }),
    ...judged,
    problems: [...problems, ...judged.problems].map(
      (problem) => `${problem} (after ${((performance.now() - injectedAt) / 1000).toFixed(1)} s)`,
    ),
  }
}

/** What every row promises, whatever was done: few requests, always a good certificate, no secret anywhere. */
export async function judge(
  stage: Stage,
  watch: DirectoryWatch,
  said: readonly string[] = [],
): Promise<Pick<Outcome, 'lost' | 'bad' | 'problems'> & { readonly requestsPerMinute: number }> {
  const { agent, proxies } = stage
  const answers = [...said]
  for (const path of ['/readyz', '/metrics', '/livez']) answers.push((await agent.ask(path)).text)
  watch.stop()
  const tried = agent.lines.filter(({ event }) => event === 'vault-request').map(({ time }) => Date.parse(String(time)))
  const passed = proxies.map(({ requests }) => requests.map(({ atMs }) => atMs))
  // The agent knows of attempts that reached nobody; a proxy knows of a redirect that was followed.
  const requestsPerMinute = Math.max(...[tried, ...passed].map(busiestMinute))
  const problems = [...watch.bad, ...leaks(stage, watch, answers)]
  if (requestsPerMinute > mostRequestsPerMinute) problems.push(`${requestsPerMinute} requests in a minute`)
  if (watch.lost > 0) problems.push(`nothing complete to read, ${watch.lost} times`)
  if (watch.notAfterMs < Date.now()) problems.push('what is in place has expired')
  return { requestsPerMinute, lost: watch.lost, bad: watch.bad.length, problems }
}

/** Waits until log, /readyz and metrics tell one of the reasons; answers it. */
async function untilTold(agent: AgentProcess, wanted: readonly ReasonCode[], said: string[]): Promise<string> {
  const isTold = ({ event, reason }: LoggedLine): boolean =>
    event === 'renewal-failed' && wanted.includes((reason ?? '') as ReasonCode)
  const { reason = '' } = await agent.nextLine(isTold)
  for (;;) {
    const ready = await agent.ask('/readyz')
    const metrics = await agent.ask('/metrics')
    said.push(ready.text, metrics.text)
    const inReady = at(JSON.parse(ready.text), 'targets', '0', 'failure', 'reason')
    const isCounted = metrics.text.includes(`renewal_failures_total{component="calico-node",reason="${reason}"}`)
    if (ready.status !== 200) throw new Error(`/readyz: ${ready.status} ${ready.text}`)
    if (wanted.includes(inReady as ReasonCode) && isCounted)
      return `${reason}: ${reasons[reason as ReasonCode].summary}`
    await delay(lookEveryMs)
  }
}

async function untilRenewed(agent: AgentProcess, watch: DirectoryWatch): Promise<string> {
  const before = watch.seen
  const { event, reason } = await agent.nextLine(({ event: each }) => each === 'published' || each === 'renewal-failed')
  if (event === 'renewal-failed') throw new Error(`felt as ${reason}`)
  while (watch.seen === before) await delay(lookEveryMs)
  return 'not felt: renewed in the middle of it'
}

function busiestMinute(times: readonly number[]): number {
  return times.reduce(
    (most, start) => Math.max(most, times.filter((time) => time >= start && time < start + 60_000).length),
    0,
  )
}

/** Tokens, the service-account token and private keys must be nowhere: not in the output, not in an answer, not in /proc. */
function leaks({ agent, proxies, tokenFile }: Stage, watch: DirectoryWatch, said: readonly string[]): string[] {
  const places = {
    output: agent.output(),
    answers: said.join('\n'),
    process: ['cmdline', 'environ', 'comm']
      .map((name) => readFileSync(`/proc/${agent.processId}/${name}`, 'utf8'))
      .join(),
  }
  const jwt = readText(tokenFile).split('.')
  const tokens = proxies.flatMap((proxy) => [...proxy.tokens])
  const secrets = [...tokens, ...watch.keyLines, ...jwt.slice(1)].filter((text) => text.length > 20)
  return Object.entries(places)
    .filter(([, text]) => secrets.some((secret) => text.includes(secret)))
    .map(([place]) => `a secret in the agent's ${place}`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Owns the faults of the agent's own process: killed, out of memory, stopped for longer than its certificate lives. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { at } from '../../support/https-json.ts'
import { tempDir } from '../../support/temp-dir.ts'
import type { MatrixRow, Outcome, RunOptions, Stage } from '../row.ts'
import { createStage } from '../stage.ts'
import { type DirectoryWatch, watchDirectory } from '../watch.ts'

const group = 'process'
/** cgroup v1, as far as this machine has it. */
const memoryGroups = '/sys/fs/cgroup/memory'

const nothing = { group, name: '', reasons: [], inject: () => {}, recover: () => {} }

/** Killed in one way or another, and started again as the kubelet does: nothing is asked of Vault for that. */
function killed(name: string, kill: (stage: Stage) => Promise<void>, leftOut?: string): MatrixRow {
  return {
    group,
    name,
    leftOut,
    async run({ lab, node, onEnd }) {
      const stage = await createStage(nothing, lab, node, onEnd)
      const watch = watchDirectory(stage.directory, `calico-node:${node}`)
      onEnd(() => watch.stop())
      await kill(stage)
      const end = await stage.agent.ended
      const asked = stage.proxy.requests.length
      const killedAt = performance.now()
      const again = stage.startAgain()
      await again.nextLine(({ event }) => event === 'found')
      const recoveredAfterSeconds = (performance.now() - killedAt) / 1000
      const ready = await again.ask('/readyz')
      const problems = [
        ...(end.signal === 'SIGKILL' ? [] : [`ended by ${end.signal ?? end.code}`]),
        ...(ready.status === 200 ? [] : [`/readyz: ${ready.status}`]),
        ...(stage.proxy.requests.length === asked ? [] : ['Vault was asked']),
      ]
      return close(name, 'started again with what is in place', watch, problems, { recoveredAfterSeconds })
    },
  }
}

/** The kernel ends the process: its memory group gets less than it uses. */
async function outOfMemory({ agent, onEnd }: Stage): Promise<void> {
  const own = join(memoryGroups, `calico-vault-agent-${agent.processId}`)
  mkdirSync(own)
  onEnd(async () => {
    await agent.ended
    rmdirSync(own)
  })
  writeFileSync(join(own, 'memory.swappiness'), '0')
  writeFileSync(join(own, 'memory.limit_in_bytes'), '1M')
  writeFileSync(join(own, 'cgroup.procs'), String(agent.processId))
  // Whatever it does next needs a page.
  agent.signal('SIGHUP')
  await agent.ended
}

/** Whether this process may make memory groups. */
function canLimitMemory(): boolean {
  const probe = join(memoryGroups, `calico-vault-agent-probe-${process.pid}`)
  try {
    mkdirSync(probe)
    rmdirSync(probe)
    return true
  } catch {
    return false
  }
}

const lifetimeMs = 6000

/** Nothing can be promised for the time in which the process stands still; it must not take longer than that. */
const stopped: MatrixRow = {
  group,
  name: 'SIGSTOP for longer than the certificate lives',
  async run({ lab, node, onEnd }: RunOptions) {
    const stage = await createStage(
      { ...nothing, env: () => ({ AGENT_TTL: `${lifetimeMs / 1000}s` }) },
      lab,
      node,
      onEnd,
    )
    const watch = watchDirectory(stage.directory, `calico-node:${node}`)
    onEnd(() => watch.stop())
    stage.agent.signal('SIGSTOP')
    await delay(Math.max(0, watch.notAfterMs + 500 - Date.now()))
    const before = watch.seen
    const continuedAt = performance.now()
    stage.agent.signal('SIGCONT')
    while (watch.seen === before && performance.now() - continuedAt < 10_000) await delay(10)
    const recoveredAfterSeconds = (performance.now() - continuedAt) / 1000
    const ready = await stage.agent.ask('/readyz')
    const problems = [
      ...(watch.seen > before ? [] : ['no new certificate within 10 s']),
      ...(at(JSON.parse(ready.text), 'ok') === true ? [] : [`/readyz: ${ready.text}`]),
    ]
    const outcome = 'expires meanwhile, in place; renewed as soon as the process runs'
    return close(stopped.name, outcome, watch, problems, { recoveredAfterSeconds, recoversWithinSeconds: 10 })
  },
}

/** The second agent says so and keeps its hands off, until the first one is gone. */
const twice: MatrixRow = {
  group,
  name: 'a second agent on the same directory',
  async run({ lab, node, onEnd }) {
    const stage = await createStage(nothing, lab, node, onEnd)
    const watch = watchDirectory(stage.directory, `calico-node:${node}`)
    onEnd(() => watch.stop())
    const asked = stage.proxy.requests.length
    const startedAt = performance.now()
    const second = stage.startAgain()
    const told = await second.nextLine(({ event }) => event === 'renewal-failed')
    const ready = JSON.parse((await second.ask('/readyz')).text) as unknown
    const visibleAfterSeconds = (performance.now() - startedAt) / 1000
    const isSilent = stage.proxy.requests.length === asked
    stage.agent.signal('SIGHUP')
    await stage.agent.nextLine(({ event }) => event === 'published')
    // What the first one publishes would count as what the second one is asked for.
    const serialNumber = stage.agent.lines.findLast(({ event }) => event === 'published')?.['serialNumber']
    await second.nextLine((line) => line.event === 'found' && line['serialNumber'] === serialNumber)
    stage.agent.signal('SIGKILL')
    await stage.agent.ended
    const endedAt = performance.now()
    second.signal('SIGHUP')
    await second.nextLine(({ event }) => event === 'published')
    const recoveredAfterSeconds = (performance.now() - endedAt) / 1000
    const reason = at(ready, 'targets', '0', 'failure', 'reason')
    const problems = [
      ...(told.reason === 'directory-in-use' && reason === told.reason
        ? []
        : [`told as ${told.reason}, ${String(reason)}`]),
      ...(isSilent ? [] : ['the second agent has asked Vault']),
    ]
    const outcome = 'directory-in-use: refuses; takes over when the first has ended'
    return close(twice.name, outcome, watch, problems, { visibleAfterSeconds, recoveredAfterSeconds })
  },
}

/** No inotify instance is left in the agent's user namespace, as on a node where other programs have taken them all. */
const inotify = ['unshare', '-U', '-r', 'sh', '-c', 'echo 0 > /proc/sys/user/max_inotify_instances; exec "$@"', 'sh']

const unwatched: MatrixRow = {
  group,
  name: 'no inotify instance left, and a published file is removed',
  leftOut: spawnSync('unshare', ['-U', '-r', 'true']).status === 0 ? undefined : 'needs user namespaces',
  async run({ lab, node, onEnd }) {
    const stage = await createStage({ ...nothing, wrapper: () => inotify }, lab, node, onEnd)
    const watch = watchDirectory(stage.directory, `calico-node:${node}`)
    onEnd(() => watch.stop())
    const isUnwatched = (): boolean => stage.agent.lines.some(({ event }) => event === 'watch-failed')
    // It comes before or after the first certificate.
    for (let waited = 0; !isUnwatched() && waited < 400; waited++) await delay(25)
    const asked = stage.proxy.requests.length
    const removedAt = performance.now()
    // The name alone: who reads through the link still finds the whole set.
    rmSync(join(stage.directory, 'etcd-key'))
    while (!existsSync(join(stage.directory, 'etcd-key')) && performance.now() - removedAt < 60_000) await delay(25)
    const recoveredAfterSeconds = (performance.now() - removedAt) / 1000
    const problems = [
      ...(isUnwatched() ? [] : ['it is watched']),
      ...(recoveredAfterSeconds < 35 ? [] : ['not put back']),
      ...(stage.proxy.requests.length === asked ? [] : ['Vault was asked']),
    ]
    const outcome = 'put back by the look every 30 s; the watch is tried again'
    return close(unwatched.name, outcome, watch, problems, { recoveredAfterSeconds, recoversWithinSeconds: 35 })
  },
}

/** What reads the log ends after its first lines, as a log collector may: what is written then has no reader. */
const untilListening = ['bash', '-c', `exec "$@" > >(sed '/"event":"listening"/q')`, 'bash']

const unread: MatrixRow = {
  group,
  name: 'whoever reads the log is gone',
  leftOut: spawnSync('bash', ['-c', 'true']).status === 0 ? undefined : 'needs bash',
  async run({ lab, node, onEnd }) {
    const stage = await createStage({ ...nothing, wrapper: () => untilListening }, lab, node, onEnd)
    const watch = watchDirectory(stage.directory, `calico-node:${node}`)
    onEnd(() => watch.stop())
    await stage.agent.ask('/livez')
    for (let renewal = 0; renewal < 3; renewal++) {
      const before = watch.seen
      stage.agent.signal('SIGHUP')
      for (let waited = 0; watch.seen === before && waited < 400; waited++) await delay(25)
    }
    const ready = await stage.agent.ask('/readyz')
    const problems = [
      ...(watch.seen >= 4 ? [] : [`${watch.seen} certificates were seen`]),
      ...(ready.status === 200 ? [] : [`/readyz: ${ready.status}`]),
    ]
    return close(unread.name, 'not felt: renewed three times', watch, problems, {})
  },
}

/** A neighbour of another directory has the same AGENT_STATE_DIR: both go on, and only the first one writes there. */
const sharedState: MatrixRow = {
  group,
  name: 'a second agent with the same AGENT_STATE_DIR',
  async run({ lab, node, onEnd }) {
    const expected = 'directory-in-use,renewal-requested'
    const stage = await createStage(
      { ...nothing, env: ({ scratch }) => ({ AGENT_STATE_DIR: scratch }) },
      lab,
      node,
      onEnd,
    )
    const watch = watchDirectory(stage.directory, `calico-node:${node}`)
    onEnd(() => watch.stop())
    const second = stage.startAgain({ AGENT_DIR: tempDir(onEnd) })
    await second.nextLine(({ event }) => event === 'published')
    second.signal('SIGHUP')
    const told = await second.nextLine(({ event }) => event === 'store-flaw')
    const renewed = await second.nextLine(({ event }) => event === 'published')
    stage.agent.signal('SIGHUP')
    await stage.agent.nextLine(({ event, reason }) => event === 'published' && reason === 'renewal-requested')
    const problems = [told.reason, renewed.reason].join() === expected ? [] : [`${told.reason}, ${renewed.reason}`]
    const outcome = `${told.reason}: told by the second; both renew, the first one keeps the cache`
    return close(sharedState.name, outcome, watch, problems, {})
  },
}

function close(
  name: string,
  outcome: string,
  watch: DirectoryWatch,
  problems: readonly string[],
  figures: Partial<Outcome>,
): Outcome {
  watch.stop()
  const { lost, bad } = watch
  const found = lost > 0 ? [...bad, `nothing complete to read, ${lost} times`] : bad
  return { group, name, outcome, ...figures, lost, bad: bad.length, problems: [...problems, ...found] }
}

export const processRows: readonly MatrixRow[] = [
  killed('kill -9', async ({ agent }) => agent.signal('SIGKILL')),
  killed('out of memory', outOfMemory, canLimitMemory() ? undefined : 'needs a memory cgroup (v1) that may be written'),
  stopped,
  twice,
  sharedState,
  unwatched,
  unread,
]

/** Owns kill -9 at every system call: of a publication, and of `provision apply` on a real etcd. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSecretDir } from '../../../agent/sidecar/store/secret-dir.ts'
import { type Operator, operatorFiles } from '../../integration/etcd/rig.ts'
import { locateServer } from '../../servers/locate.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { startRealEtcd } from '../../support/real-etcd.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { attributes, createBundles, litterIn, readNames, texts } from '../../unit/sidecar/store/bundles.ts'
import type { MatrixRow } from '../row.ts'
import { callsIn, missingStrace, runFromDot, type SystemCall, straceCommand } from '../system-calls.ts'

const group = 'kill -9'
const publishOnce = join(import.meta.dirname, '../publish-once.ts')
const etcd = locateServer('etcd')
/** In the short form; the long one takes every call. */
const shortEvery = { publish: 8, provision: 9 }

const every = <Item>(items: readonly Item[], step: number): Item[] => items.filter((_, index) => index % step === 0)

const publication: MatrixRow = {
  group,
  name: 'at every system call of a publication',
  leftOut: missingStrace,
  async run({ holdMs, onEnd }) {
    const [oldest, old, next, last] = await createBundles(4)
    if (oldest === undefined || old === undefined || next === undefined || last === undefined) throw new Error('four')
    const scratch = tempDir(onEnd)
    const bundleFile = join(scratch, 'bundle.json')
    writeFileSync(bundleFile, JSON.stringify({ ...next, key: next.key.reveal() }))
    const log = join(scratch, 'log')

    /** A directory with two generations, so that the third publication does all that one can do. */
    const attempt = async (killAt?: SystemCall): Promise<[directory: string, signal: NodeJS.Signals | null]> => {
      const directory = tempDir(onEnd)
      openSecretDir(directory, attributes).publish(oldest, new Date(1))
      openSecretDir(directory, attributes).publish(old, new Date(2))
      return [directory, await runFromDot([process.execPath, publishOnce, directory, bundleFile], log, killAt)]
    }

    const [whole] = await attempt()
    // By its path, or by the descriptor of it.
    const calls = callsIn(log, (text) => text.includes(whole) || text.includes('/proc/self/fd/'))
    const outcome = { lost: 0, bad: 0, problems: [] as string[] }
    const seen = new Set<string>()
    for (const call of every(calls, holdMs > 0 ? 1 : shortEvery.publish)) {
      const [directory, signal] = await attempt(call)
      const found = readNames(directory)
      if (found.includes(undefined)) outcome.lost++
      const isWhole = [old, next].some((bundle) => texts(bundle).join('') === found.join(''))
      if (!isWhole) outcome.bad++
      seen.add(texts(next).join('') === found.join('') ? 'new' : 'old')
      openSecretDir(directory, attributes).publish(last, new Date())
      const isRepaired = readNames(directory).join('') === texts(last).join('') && litterIn(directory).length === 0
      if (!isRepaired || !isWhole || signal !== 'SIGKILL')
        outcome.problems.push(`${call.name} ${call.nth}: ${call.text.slice(0, 120)}`)
    }
    if (calls.length < 30 || seen.size < 2) outcome.problems.push(`only ${calls.length} calls, ${[...seen].join()}`)
    return {
      group,
      name: publication.name,
      outcome: `${calls.length} calls: old or new, whole; mended next`,
      ...outcome,
    }
  },
}

const provision: MatrixRow = {
  group,
  name: 'at every write of provision apply to etcd',
  leftOut: missingStrace ?? ('missing' in etcd ? etcd.missing : undefined),
  async run({ holdMs, onEnd }) {
    const server = await startRealEtcd()
    onEnd(() => server.stop())
    const root = await server.client('root')
    await etcdAuth(root).enable()
    const operator = operatorFiles(root)
    onEnd(() => operator.remove())
    const log = join(tempDir(onEnd), 'log')
    const port = new URL(server.endpoint).port
    await apply(operator, straceCommand(log))
    const calls = callsIn(log, (text) => /^(write|writev|sendto|sendmsg)\(/.test(text) && text.includes(`:${port}]`))
    const problems: string[] = []
    for (const call of every(calls, holdMs > 0 ? 1 : shortEvery.provision)) {
      await reset(operator)
      await apply(operator, straceCommand(log, call))
      await apply(operator)
      const { code } = await operator.provision(['plan', ...desired])
      if (code !== 0) problems.push(`${call.name} ${call.nth}: the plan after it ends with ${code}`)
    }
    if (calls.length < 10) problems.push(`only ${calls.length} writes`)
    return {
      group,
      name: provision.name,
      outcome: `${calls.length} writes: the next apply completes it`,
      lost: 0,
      bad: 0,
      problems,
    }
  },
}

const desired = ['--naming', 'node', '--nodes', 'a,b', '--components', 'calico-cni', '--prune']

async function apply(operator: Operator, wrapper: readonly string[] = []): Promise<void> {
  await operator.provision(['apply', '--yes', ...desired], { wrapper })
}

/** Takes away everything that was provisioned but one node of another component. */
async function reset(operator: Operator): Promise<void> {
  const other = ['--naming', 'component', '--components', 'calico-cni', '--prune']
  await operator.provision(['apply', '--yes', ...other])
}

export const killRows: readonly MatrixRow[] = [publication, provision]

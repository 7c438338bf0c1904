/** Owns `provision plan` and `provision apply` against etcd: look, show, ask, do, and say what was done. */
import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WantedPools } from '../config/calico-pools.ts'
import type { EtcdAddress, ProvisionConfig } from '../config/etcd.ts'
import { AgentError } from '../core/errors.ts'
import type { EtcdAuthApi } from '../operator/etcd/api.ts'
import { type BootstrapOptions, enableAuth, finishBootstrap } from '../operator/etcd/bootstrap.ts'
import { type EtcdClient, openEtcd } from '../operator/etcd/client.ts'
import { keyOf, makeDefaults, planDefaults, readDefaults } from '../operator/etcd/defaults.ts'
import { type DesiredState, rolePrefix } from '../operator/etcd/desired.ts'
import { contains, prefixRange } from '../operator/etcd/grants.ts'
import { demandsCertificate } from '../operator/etcd/handshake.ts'
import { createMemory } from '../operator/etcd/memory.ts'
import { createPace } from '../operator/etcd/pace.ts'
import type { Change } from '../operator/etcd/plan.ts'
import { type Examination, examine, reconcile } from '../operator/etcd/reconcile.ts'
import { exitCodes } from './exit-codes.ts'
import type { ProvisionOptions } from './provision-options.ts'
import { changeJson, changeLine, defaultLine, type Look, planJson, planText } from './provision-output.ts'
import { agrees, painter } from './terminal.ts'

const now = (): number => performance.now()
const paint = painter(process.stdout.isTTY, process.env)
const print = (text: string): boolean => process.stdout.write(text)

/** What the command was asked for, from the arguments and the environment. */
export interface Request {
  readonly config: ProvisionConfig
  readonly desired: DesiredState
  readonly options: ProvisionOptions
  /** Undefined without `--defaults`. */
  readonly pools: WantedPools | undefined
}

export async function plan(request: Request): Promise<number> {
  const { desired, options } = request
  const { etcd } = request.config
  const api = open(etcd)
  try {
    const found = await examine(api, desired, { prune: options.prune, now })
    const look = await lookOf(api, request, found)
    print(options.output === 'json' ? `${JSON.stringify(planJson(look), null, 2)}\n` : planText(look, paint))
    return found.plan.phases.length + found.plan.refusals.length + look.defaults.length > 0
      ? exitCodes.differences
      : exitCodes.ok
  } catch (error) {
    throw withOperator(error, etcd)
  } finally {
    api.close()
  }
}

export async function apply(request: Request): Promise<number> {
  const { desired, options } = request
  const { etcd } = request.config
  const api = open(etcd)
  const isText = options.output === 'text'
  const log = (text: string): void => void (isText ? print(`${text}\n`) : process.stderr.write(`${text}\n`))
  const bootstrap = options.enableAuth ? bootstrapOptions(etcd, log) : undefined
  try {
    if (bootstrap !== undefined) await goOn(api, bootstrap)
    const memory = createMemory()
    const first = await examine(api, desired, { prune: options.prune, now, memory })
    const look = await lookOf(api, request, first)
    const enables = bootstrap !== undefined && !first.authEnabled
    if (isText) print(planText(look, paint))
    // Where the plan is refused there is nothing to agree to.
    const differs = first.plan.phases.length + look.defaults.length > 0
    const asks = !options.yes && first.plan.refusals.length === 0 && (differs || enables)
    if (asks && !(await agrees(enables ? 'Apply this and switch authentication on?' : 'Apply this?'))) {
      print('Nothing was changed.\n')
      return exitCodes.ok
    }
    const done: Change[] = []
    const changed = (change: Change): void => {
      done.push(change)
      if (isText) print(changeLine(change, paint))
    }
    // Before anybody's rights become those of one node.
    const makes = first.plan.refusals.length === 0 ? look.defaults : []
    const made = await makeDefaults(api, makes, { uid: randomUUID, nowMs: Date.now() })
    if (isText) for (const object of made) print(defaultLine(object, paint))
    const pace = createPace({ share: options.busyShare, now, sleep })
    const outcome = await reconcile(api, desired, { prune: options.prune, now, memory, changed, pace }, first)
    if (enables) {
      await enableAuth(api, bootstrap, reachesRegistry(desired))
      // The receipt that makes the next plan quick counts only with authentication on.
      await reconcile(api, desired, { prune: options.prune, now, memory, changed, pace })
    }
    if (isText) {
      print(
        paint(
          `Done: ${outcome.changes + made.length} changes${enables ? ', and authentication is on' : ''}.\n`,
          'bold',
        ),
      )
    } else {
      const { notes, refusals } = planJson(look) as { notes: string[]; refusals: string[] }
      const authEnabled = first.authEnabled || enables
      print(
        `${JSON.stringify({ inStep: true, authEnabled, changes: done.map(changeJson), defaults: made.map(keyOf), refusals, notes }, null, 2)}\n`,
      )
    }
    return exitCodes.ok
  } catch (error) {
    throw withOperator(error, etcd)
  } finally {
    api.close()
    bootstrap?.close()
  }
}

/** Whom etcd took us for belongs to every refusal. */
function withOperator(error: unknown, { operator }: EtcdAddress): unknown {
  if (!(error instanceof AgentError) || error.code !== 'etcd-denied') return error
  const who = operator === '' ? 'the certificate has no common name' : `the common name is ${JSON.stringify(operator)}`
  return new AgentError('etcd-denied', `${error.message}; ${who}`)
}

async function lookOf(
  api: EtcdAuthApi,
  { config, desired, options: { naming, components, strict, defaults }, pools }: Request,
  { plan: found, authEnabled }: Examination,
): Promise<Look> {
  const needsDefaults = naming === 'node' && components.includes('calico-node')
  if (!needsDefaults && !defaults) return { plan: found, authEnabled, warnings: desired.warnings, defaults: [] }
  const { missing, make } = planDefaults(await readDefaults(api), { versions: config.versions, strict, pools })
  // In the naming by component calico-node makes what is missing itself.
  const warnings = needsDefaults ? [...desired.warnings, ...missing] : desired.warnings
  return { plan: found, authEnabled, warnings, defaults: make }
}

function open(
  { endpoints, ca, cert, key }: EtcdAddress,
  more: Partial<Parameters<typeof openEtcd>[0]> = {},
): EtcdClient {
  return openEtcd({ endpoints, ca, cert, key: key.reveal(), ...more })
}

function bootstrapOptions(etcd: EtcdAddress, log: (text: string) => void): BootstrapOptions & { close(): void } {
  const password = createHmac('sha256', etcd.key.reveal()).update('calico-vault-agent: the way back').digest('hex')
  const members = etcd.endpoints.map((endpoint) => ({
    endpoint,
    api: open({ ...etcd, endpoints: [endpoint] }, { patienceMs: 3000 }),
  }))
  return {
    operator: etcd.operator,
    members,
    demandsCertificate: (endpoint) => demandsCertificate(endpoint, etcd.ca),
    password,
    withPassword: (user) => open(etcd, { password: { user, password } }),
    log,
    close: () => {
      for (const { api } of members) api.close()
    },
  }
}

/** What an earlier `--enable-auth` may have left when it was killed. */
async function goOn(api: EtcdClient, bootstrap: BootstrapOptions): Promise<void> {
  try {
    const { enabled } = await api.authStatus()
    if (enabled) await finishBootstrap(api, bootstrap, false)
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'etcd-denied') throw error
    try {
      await finishBootstrap(api, bootstrap, true)
    } catch {
      // No way back was left: the operator is simply no administrator here.
      throw error
    }
  }
}

function reachesRegistry({ roles }: DesiredState): boolean {
  const registry = prefixRange('/registry/')
  return [...roles].some(
    ([role, grants]) =>
      role.startsWith(rolePrefix) && grants.some((grant) => grant.access === 'readwrite' && contains(grant, registry)),
  )
}

/** Owns what `provision plan` and `provision apply` do at etcd. */
import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WantedPools } from '../config/calico-pools.ts'
import type { EtcdAddress, ProvisionConfig } from '../config/etcd.ts'
import { AgentError } from '../core/errors.ts'
import type { EtcdAuthApi } from '../operator/etcd/api.ts'
import { createAuthCache } from '../operator/etcd/auth-snapshot.ts'
import { type BootstrapOptions, enableAuth, finishBootstrap } from '../operator/etcd/bootstrap.ts'
import { type EtcdClient, openEtcd } from '../operator/etcd/client.ts'
import { type DefaultObject, makeDefaults, planDefaults, readDefaults } from '../operator/etcd/defaults.ts'
import { type Made, viewOf, wording } from '../operator/etcd/describe.ts'
import { type DesiredState, rolePrefix } from '../operator/etcd/desired.ts'
import { contains, prefixRange } from '../operator/etcd/grants.ts'
import { createPace } from '../operator/etcd/pace.ts'
import { type Examination, examine, reconcile } from '../operator/etcd/reconcile.ts'
import { type PlanTarget, type PlanView, planOrApply } from './plan-command.ts'
import type { ProvisionOptions } from './provision-options.ts'

/** What the command was asked for, from the arguments and the environment. */
interface Request {
  readonly action: 'plan' | 'apply'
  readonly config: ProvisionConfig
  readonly desired: DesiredState
  readonly options: ProvisionOptions
  /** Undefined without `--defaults`. */
  readonly pools: WantedPools | undefined
}

/** With what `apply` needs again of what was seen. */
interface Seen extends PlanView<Made> {
  readonly found: Examination
  readonly make: readonly DefaultObject[]
}

export async function onEtcd(request: Request): Promise<number> {
  const { action, desired, options, config } = request
  const { etcd } = config
  const api = openEtcd(etcd)
  const out = options.output === 'text' ? process.stdout : process.stderr
  const log = (text: string): void => void out.write(`${text}\n`)
  const bootstrap = action === 'apply' && options.enableAuth ? bootstrapOptions(etcd, log) : undefined
  const common = { prune: options.prune, cache: createAuthCache() }
  const target: PlanTarget<Made, Seen> = {
    wording,
    async examine() {
      if (bootstrap !== undefined) await goOn(api, bootstrap)
      const found = await examine(api, desired, common)
      const also = { ask: 'switch authentication on', done: 'authentication is on' }
      const seen = await see(api, request, found)
      return { ...seen, also: bootstrap !== undefined && !found.authEnabled ? also : undefined }
    },
    async apply(seen, changed) {
      const { found, make, also, facts, plan } = seen
      // Before anybody's rights become those of one node.
      const makes = found.plan.refusals.length === 0 ? make : []
      for (const made of await makeDefaults(api, makes, { uid: randomUUID, nowMs: Date.now() })) changed(made)
      const waits = (text: string): void => void process.stderr.write(`${text}\n`)
      const pace = createPace({ share: options.busyShare, now: () => performance.now(), sleep, waits })
      await reconcile(api, desired, { ...common, changed, pace }, found)
      if (bootstrap !== undefined && also !== undefined) {
        await enableAuth(api, bootstrap, reachesRegistry(desired))
        // The receipt that makes the next plan quick counts only with authentication on.
        await reconcile(api, desired, { ...common, changed, pace })
      }
      const authEnabled = found.authEnabled || also !== undefined
      return { after: { plan: { ...plan, phases: [] }, facts: { ...facts, authEnabled } } }
    },
  }
  try {
    return await planOrApply(target, { ...options, action })
  } catch (error) {
    throw withOperator(error, etcd)
  } finally {
    api.close()
    bootstrap?.close()
  }
}

/** Every refusal must say whom etcd took us for. */
function withOperator(error: unknown, { operator }: EtcdAddress): unknown {
  if (!(error instanceof AgentError) || error.code !== 'etcd-denied') return error
  const who = operator === '' ? 'the certificate has no common name' : `the common name is ${JSON.stringify(operator)}`
  return new AgentError('etcd-denied', `${error.message}; ${who}`)
}

async function see(
  api: EtcdAuthApi,
  { config, desired, options: { naming, components, strict, defaults }, pools }: Request,
  found: Examination,
): Promise<Seen> {
  const needsDefaults = naming === 'node' && components.includes('calico-node')
  const { missing, make } =
    needsDefaults || defaults
      ? planDefaults(await readDefaults(api), { versions: config.versions, strict, pools })
      : { missing: [], make: [] }
  // In the naming by component, calico-node itself makes what is missing.
  const warnings = needsDefaults ? [...desired.warnings, ...missing] : desired.warnings
  return { ...viewOf({ ...found, warnings, defaults: make }), found, make }
}

function bootstrapOptions(etcd: EtcdAddress, log: (text: string) => void): BootstrapOptions & { close(): void } {
  const password = createHmac('sha256', etcd.key.reveal()).update('calico-vault-agent: the way back').digest('hex')
  const members = etcd.endpoints.map((endpoint) => ({
    endpoint,
    api: openEtcd({ ...etcd, endpoints: [endpoint], patienceMs: 3000 }),
  }))
  return {
    operator: etcd.operator,
    members,
    ca: etcd.ca,
    password,
    withPassword: (user) => openEtcd({ ...etcd, password: { user, password } }),
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

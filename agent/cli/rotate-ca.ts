/**
 * Owns the command `rotate-ca`, and the bundle dist/rotate-ca.mjs that is loaded for it alone: each step is looked at, shown,
 * agreed to and made; between two steps it waits for the agents. It keeps nothing: killed and run again, it goes on.
 */
import { withVaultTools } from '../config/tool-variables.ts'
import { parseSetupVaultConfig } from '../config/vault.ts'
import { systemClock } from '../core/clock.ts'
import { AgentError, ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { Secret } from '../core/secret.ts'
import { accountFor, askAgents, askPrometheus, type ReadAgents } from '../operator/ca-rotation/agents.ts'
import { makeStep } from '../operator/ca-rotation/apply.ts'
import { wording } from '../operator/ca-rotation/describe.ts'
import { findStaleConsumers } from '../operator/ca-rotation/needs.ts'
import { planRotation } from '../operator/ca-rotation/plan.ts'
import {
  type AgentsState,
  type Change,
  type Intent,
  type Rotation,
  steps,
  type VaultState,
} from '../operator/ca-rotation/state.ts'
import { type RotationVault, readVaultState, rotationRights } from '../operator/ca-rotation/vault-state.ts'
import { parseNodeNames } from '../operator/etcd/nodes.ts'
import { openVaultAdmin } from '../operator/vault-setup/admin.ts'
import { explainDenial } from '../operator/vault-setup/rights.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { maxNodesFileBytes, readNodesText, refuseUnanswered } from './node-options.ts'
import { isInStep, type PlanTarget, type PlanView, planOrApply } from './plan-command.ts'
import type { RotateCaOptions } from './rotate-ca-options.ts'
import { statusJson, statusText } from './rotate-ca-output.ts'
import { painter } from './terminal.ts'

export interface Seen extends PlanView<Change> {
  readonly vault: VaultState
  readonly agents: AgentsState
  readonly rotation: Rotation
}

export async function rotateCa(options: RotateCaOptions): Promise<number> {
  try {
    if (options.action === 'apply') {
      refuseUnanswered('rotate-ca apply', options)
    }
    const config = parseSetupVaultConfig(withVaultTools({ ...process.env, ...options.connection }))
    const nodes = await readNodes(options)
    const readAgents = await agentsOf(options)
    const api = openVaultAdmin(config)
    try {
      return await onVault(api, { ...options, nodes }, readAgents)
    } catch (error) {
      throw await explainDenial(
        error,
        api,
        rotationRights(options.mount, options.root !== undefined),
        'rotation-denied',
      )
    } finally {
      api.close()
    }
  } catch (error) {
    return reportFailure(error, `rotate-ca ${options.action}`)
  }
}

async function onVault(api: RotationVault, options: RotateCaOptions, readAgents: ReadAgents): Promise<number> {
  const examine = async (): Promise<Seen> => {
    const vault = await readVaultState(api, options.mount)
    const agents = accountFor(await readAgents(), options)
    const intent: Intent = { ...options, issuer: options.issuer ?? vault.defaultId ?? '', make: options.root }
    const rotation = planRotation(vault, agents, intent, systemClock.now())
    return { vault, agents, rotation, plan: rotation.plan, facts: factsOf(rotation, agents) }
  }
  const { action, output } = options
  if (action === 'status') {
    const seen = await examine()
    const paint = painter(process.stdout.isTTY, process.env)
    process.stdout.write(output === 'json' ? statusJson(seen) : statusText(seen, paint, systemClock.now()))
    return exitCodes.ok
  }
  const targetFor = (first: () => Promise<Seen>): PlanTarget<Change, Seen> => ({
    examine: first,
    async apply({ rotation: agreed }, changed) {
      let seen: Seen | undefined
      const again = async (): Promise<Rotation> => (seen = await examine()).rotation
      const rotation = await makeStep(api, agreed, { examine: again, changed })
      return { after: seen ?? { plan: rotation.plan } }
    },
    wording,
  })
  if (action === 'plan') return await planOrApply(targetFor(examine), { ...options, action })
  // The operator is here for the first look: what is wrong then is told, and not waited for.
  let seen = await examine()
  const patience = createPatience(options)
  for (;;) {
    const shown = seen
    if (!isWaiting(shown.plan)) {
      const code = await planOrApply(
        targetFor(async () => shown),
        { ...options, action },
      )
      if (code !== exitCodes.ok || isInStep(shown.plan)) return code
    }
    seen = await nextStep(examine, patience)
  }
}

function isWaiting({ waitsFor, refusals }: Seen['plan']): boolean {
  return waitsFor !== undefined && refusals.length === 0
}

interface Patience {
  /** Says what is waited for, and waits. @throws AgentError `rotation-waiting` when the time is over */
  wait(what: string): Promise<void>
}

/** Looks until there is something to do or to tell. */
async function nextStep(examine: () => Promise<Seen>, patience: Patience): Promise<Seen> {
  for (;;) {
    let what: string
    try {
      const seen = await examine()
      if (seen.rotation.isSilenceAll) what = silentOnes(seen.agents)
      else if (!isWaiting(seen.plan)) return seen
      else what = seen.plan.waitsFor ?? ''
    } catch (error) {
      if (!(error instanceof AgentError) || error.retry !== 'outage') throw error
      what = `an answer: ${error.message}`
    }
    await patience.wait(what)
  }
}

function silentOnes({ silent }: AgentsState): string {
  return silent.length === 0 ? 'any agent' : silent.map(({ name, why }) => `${name} (${why})`).join(', ')
}

function createPatience({ waitMs, pollMs, output }: RotateCaOptions): Patience {
  const never = new AbortController().signal
  const endAt = waitMs === undefined ? Number.POSITIVE_INFINITY : systemClock.monotonic() + waitMs
  let told = ''
  return {
    async wait(what) {
      if (systemClock.monotonic() >= endAt) throw new AgentError('rotation-waiting', what)
      const stream = output === 'json' ? process.stderr : process.stdout
      if (what !== told) stream.write(`Waiting for ${what}.\n`)
      told = what
      await systemClock.sleep(pollMs, never)
    },
  }
}

function factsOf(
  { step, plan }: Rotation,
  { agents, silent, without }: AgentsState,
): PlanView<Change>['facts'] & object {
  return {
    step,
    stepIs: steps[step],
    waitsFor: plan.waitsFor ?? null,
    agents: agents.length,
    silent,
    without,
    restarts: findStaleConsumers(agents),
  }
}

async function agentsOf({
  agents,
  prometheus,
  prometheusTokenFile: file,
  selector,
}: RotateCaOptions): Promise<ReadAgents> {
  if (prometheus === undefined) return askAgents(agents)
  const read = (from: string): string => readSmallFile(systemFiles, from, maxNodesFileBytes).trim()
  const token = file === undefined ? undefined : new Secret(await given('--prometheus-token-file', () => read(file)))
  return askPrometheus({ url: prometheus, token, selector })
}

async function readNodes({ nodes, nodesFile }: RotateCaOptions): Promise<readonly string[]> {
  if (nodesFile === undefined) return nodes
  const text = await given('--nodes-file', () => readNodesText(nodesFile))
  const { names, problems } = parseNodeNames(text)
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `--nodes-file: ${problem}`))
  if (names.length === 0) throw new ConfigError([`--nodes-file: ${nodesFile} names no node`])
  return [...new Set([...nodes, ...names])]
}

/** What an option names, or why it cannot be read. */
async function given<Value>(option: string, read: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (error) {
    throw new ConfigError([`${option}: ${messageOf(error)}`])
  }
}

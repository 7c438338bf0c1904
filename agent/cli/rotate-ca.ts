/**
 * Owns the command `rotate-ca`, and the bundle dist/rotate-ca.mjs that is loaded for it alone: each step is looked at, shown,
 * agreed to and made; between two steps it waits for the agents. It keeps nothing: killed and run again, it goes on.
 */
import { withVaultTools } from '../config/tool-variables.ts'
import { parseSetupVaultConfig } from '../config/vault.ts'
import { isoTime, systemClock } from '../core/clock.ts'
import { AgentError, ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { Secret } from '../core/secret.ts'
import { oneLine } from '../core/text.ts'
import { accountFor, askAgents, askPrometheus, type ReadAgents } from '../operator/ca-rotation/agents.ts'
import { makeStep } from '../operator/ca-rotation/apply.ts'
import { nameOf, wording } from '../operator/ca-rotation/describe.ts'
import { findStaleConsumers } from '../operator/ca-rotation/needs.ts'
import { planRotation } from '../operator/ca-rotation/plan.ts'
import {
  type AgentsState,
  type Change,
  type Intent,
  type Issuer,
  type Rotation,
  type Step,
  steps,
  type VaultState,
} from '../operator/ca-rotation/state.ts'
import { type RotationVault, readVaultState, rotationRights } from '../operator/ca-rotation/vault-state.ts'
import { openVaultAdmin } from '../operator/vault-setup/admin.ts'
import { explainDenial } from '../operator/vault-setup/rights.ts'
import type { CaUse } from '../pki/ca-set.ts'
import { exitCodes } from './exit.ts'
import { readNodes } from './options.ts'
import { isInStep, type PlanTarget, type PlanView, planOrApply } from './plan-command.ts'
import type { RotateCaOptions } from './rotate-ca-options.ts'
import { type Paint, painter, refuseUnasked } from './terminal.ts'

interface Seen extends PlanView<Change> {
  readonly vault: VaultState
  readonly agents: AgentsState
  readonly rotation: Rotation
}

export async function rotateCa(options: RotateCaOptions): Promise<number> {
  if (options.action === 'apply') refuseUnasked('rotate-ca apply', options)
  const config = parseSetupVaultConfig(withVaultTools({ ...process.env, ...options.connection }))
  const problems: string[] = []
  const nodes = await readNodes(options, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  const readAgents = agentsOf(options)
  const api = openVaultAdmin(config)
  try {
    return await onVault(api, { ...options, nodes }, readAgents)
  } catch (error) {
    throw await explainDenial(error, api, rotationRights(options.mount, options.root !== undefined), 'rotation-denied')
  } finally {
    api.close()
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
  // The operator is here for the first look: what is wrong then is told, and not waited for.
  let seen = await examine()
  const { action, output } = options
  if (action === 'status') {
    const paint = painter(process.stdout.isTTY, process.env)
    process.stdout.write(output === 'json' ? statusJson(seen) : statusText(seen, paint, systemClock.now()))
    return exitCodes.ok
  }
  const target: PlanTarget<Change, Seen> = {
    examine: async () => seen,
    async apply({ rotation: agreed }, changed) {
      let after = seen
      const again = async (): Promise<Rotation> => (after = await examine()).rotation
      await makeStep(api, agreed, { examine: again, changed })
      return { after }
    },
    wording,
  }
  if (action === 'plan') return await planOrApply(target, { ...options, action })
  const wait = createWait(options)
  for (;;) {
    if (!isWaiting(seen.plan)) {
      const code = await planOrApply(target, { ...options, action })
      if (code !== exitCodes.ok || isInStep(seen.plan)) return code
    }
    seen = await nextStep(examine, wait)
  }
}

function isWaiting({ waitsFor, refusals }: Seen['plan']): boolean {
  return waitsFor !== undefined && refusals.length === 0
}

/** Says what is waited for, and waits. @throws AgentError `rotation-waiting` when the time is over */
type Wait = (what: string) => Promise<void>

/** Looks until there is something to do or to tell. */
async function nextStep(examine: () => Promise<Seen>, wait: Wait): Promise<Seen> {
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
    await wait(what)
  }
}

function silentOnes({ silent }: AgentsState): string {
  return silent.length === 0 ? 'any agent' : silent.map(({ name, why }) => `${name} (${why})`).join(', ')
}

function createWait({ waitMs = Number.POSITIVE_INFINITY, pollMs, output }: RotateCaOptions): Wait {
  const never = new AbortController().signal
  const stream = output === 'json' ? process.stderr : process.stdout
  const endAt = systemClock.monotonic() + waitMs
  let told = ''
  return async (what) => {
    if (systemClock.monotonic() >= endAt) throw new AgentError('rotation-waiting', what)
    if (what !== told) stream.write(`Waiting for ${what}.\n`)
    told = what
    await systemClock.sleep(pollMs, never)
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

function agentsOf({ agents, prometheus, prometheusTokenFile, selector }: RotateCaOptions): ReadAgents {
  if (prometheus === undefined) return askAgents(agents)
  return askPrometheus({ url: prometheus, token: readToken(prometheusTokenFile), selector })
}

function readToken(file: string | undefined): Secret | undefined {
  if (file === undefined) return undefined
  try {
    return new Secret(readSmallFile(systemFiles, file).trim())
  } catch (error) {
    throw new ConfigError([`--prometheus-token-file: ${messageOf(error)}`])
  }
}

function statusText({ vault, agents, rotation }: Seen, paint: Paint, nowMs: number): string {
  const { step, plan } = rotation
  const order = Object.keys(steps) as Step[]
  const at = order.indexOf(step)
  const lines = order.map((each, index) => {
    const mark = index < at || step === 'done' ? paint('done', '+') : index === at ? paint('now ', '!') : 'then'
    return `  ${mark} ${each.padEnd(7)} ${steps[each]}`
  })
  const issuers = vault.issuers.map((issuer) => `  ${issuerText(issuer, vault)}`)
  const told = agents.agents.flatMap(({ node, where, targets }) =>
    targets.map(({ component, ca }) => {
      const sets = ca.map((use) => useText(use, vault.issuers, nowMs)).join(', ')
      return `  ${node ?? where} ${component}: ${sets === '' ? 'nothing is published' : sets}`
    }),
  )
  const silent = [...agents.silent, ...agents.without].map(({ name, why }) => `  ${paint(name, '-')}: ${why}`)
  return `${[
    paint(`CA rotation in ${vault.mount}/`, 'bold'),
    ...lines,
    paint('Issuers', 'bold'),
    ...issuers,
    paint('Agents', 'bold'),
    ...told,
    ...silent,
    ...(plan.waitsFor === undefined ? [] : [`${paint('Waits for', '!')} ${plan.waitsFor}.`]),
    ...plan.refusals.map((text) => `${paint('Refused:', '-')} ${text}.`),
    ...plan.notes.map((text) => `${paint('Note:', '!')} ${text}.`),
  ].join('\n')}\n`
}

function issuerText(issuer: Issuer, { defaultId }: VaultState): string {
  const signs = issuer.id === defaultId ? ', signs' : ''
  const ends = isoTime(issuer.notAfterMs).slice(0, 10)
  return `${nameOf(issuer)}  ${issuer.fingerprint}  ${oneLine(issuer.subject)}, until ${ends}${signs}`
}

function useText({ fingerprint, subject, inUseUntilMs }: CaUse, issuers: readonly Issuer[], nowMs: number): string {
  const found = issuers.find((issuer) => issuer.fingerprint === fingerprint)
  const name = found === undefined ? `${oneLine(subject)} (${fingerprint})` : nameOf(found)
  return inUseUntilMs > nowMs ? `${name} until ${isoTime(inUseUntilMs)}` : name
}

function statusJson({ vault, agents, rotation: { step, plan } }: Seen): string {
  const { refusals, notes, waitsFor = null } = plan
  const restarts = findStaleConsumers(agents.agents)
  const value = { step, stepIs: steps[step], waitsFor, refusals, notes, restarts, vault, agents }
  return `${JSON.stringify(value, null, 2)}\n`
}

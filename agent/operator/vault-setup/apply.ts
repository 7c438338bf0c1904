/**
 * Owns bringing Vault in step: look, plan, write, and look again until nothing differs. Safe to be killed at any call and to
 * run twice at once: what another run has done in between is seen in the next round.
 */
import { AgentError } from '../../core/errors.ts'
import { readActual, type VaultAdmin } from './actual.ts'
import { bodyOf, type Change, type Plan, pathOf } from './changes.ts'
import { type PlanOptions, planSetup } from './plan.ts'
import { refuseForeignCertificate, requestOf } from './request.ts'
import { resourcesOf, type Substitutes } from './resources.ts'
import type { Setup } from './setup.ts'

export interface ApplyOptions extends PlanOptions {
  /** Called after each change that was made. */
  readonly changed: (change: Change) => void
}

export interface Outcome {
  readonly plan: Plan
  /** PEM of the intermediate's certificate request, while it waits for the certificate. */
  readonly request: string | undefined
}

/** Each round repairs what a second run has done in between; more than this is no coincidence. */
const mostRounds = 6

export async function examineSetup(
  api: VaultAdmin,
  setup: Setup,
  files: Substitutes['files'],
  options: PlanOptions,
): Promise<Plan> {
  return planSetup(setup, files, await readActual(api, setup, resourcesOf(setup)), options)
}

/**
 * @param first what `examineSetup` has just found, where that was shown to somebody who said yes to it
 * @throws AgentError `setup-conflict` before any change; anything else leaves a part done, which the next run completes
 */
export async function applySetup(
  api: VaultAdmin,
  setup: Setup,
  files: Substitutes['files'],
  options: ApplyOptions,
  first?: Plan,
): Promise<Outcome> {
  const tries = new Map<string, number>()
  let plan = first ?? (await examineSetup(api, setup, files, options))
  for (let round = 0; round < mostRounds; round++) {
    if (plan.refusals.length > 0) throw new AgentError('setup-conflict', plan.refusals.join('\n'))
    if (plan.changes.length === 0) {
      return { plan, request: plan.waitsForCertificate ? await requestOf(api, setup) : undefined }
    }
    refuseRepetition(plan, tries)
    await writeChanges(api, setup, plan, tries, options.changed)
    // Once is enough: afterwards the look would find the same secret unseen again.
    plan = await examineSetup(api, setup, files, { ...options, writeSecrets: false })
  }
  throw new AgentError('setup-contended', plan.changes.map(pathOf).join(', '))
}

async function writeChanges(
  api: VaultAdmin,
  setup: Setup,
  { changes }: Plan,
  tries: Map<string, number>,
  changed: ApplyOptions['changed'],
): Promise<void> {
  for (const change of changes) {
    const path = pathOf(change)
    tries.set(path, (tries.get(path) ?? 0) + 1)
    try {
      if (change.do === 'import-certificate') await refuseForeignCertificate(api, setup, change.body)
      await api.write(path, bodyOf(change))
    } catch (error) {
      // Another run may have been first: whether it is still to be done, the next look tells.
      if (!(error instanceof AgentError) || error.code !== 'vault-request-refused') throw error
      if (tries.get(path) === 1) return
      throw new AgentError('setup-refused', error.message, { cause: error })
    }
    changed(change)
    // Now the accessor is known, which the rest of this plan lacks.
    if (change.do === 'enable' && change.table === 'auth') return
  }
}

/** A server that forgets what it is told (too old for a field), or somebody who writes something else all the time. */
function refuseRepetition({ changes }: Plan, tries: ReadonlyMap<string, number>): void {
  const again = changes.filter((change) => (tries.get(pathOf(change)) ?? 0) >= 2)
  if (again.length === 0) return
  const texts = again.map((change) => {
    const fields = 'differences' in change ? change.differences.map(({ field }) => field).join(', ') : ''
    return `${pathOf(change)}${fields === '' ? '' : `: ${fields}`}`
  })
  throw new AgentError('setup-contended', texts.join('\n'))
}

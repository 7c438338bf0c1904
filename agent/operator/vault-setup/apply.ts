/** Owns bringing Vault in step: what differs, and each write that is made. */
import { AgentError } from '../../core/errors.ts'
import { bringInStep } from '../engine/bring-in-step.ts'
import { readActual } from './actual.ts'
import type { VaultAdmin } from './admin.ts'
import { refuseForeignCertificate, requestOf } from './ca.ts'
import type { Change, VaultPlan } from './changes.ts'
import { type PlanOptions, planSetup } from './plan.ts'
import type { FileTexts, Setup } from './setup.ts'

export interface ApplyOptions extends PlanOptions {
  /** Called after each change that was made. */
  readonly changed: (change: Change) => void
}

export interface Outcome {
  readonly plan: VaultPlan
  /** PEM of the intermediate's certificate request, while it waits for the certificate. */
  readonly request: string | undefined
}

export async function examineSetup(
  api: VaultAdmin,
  setup: Setup,
  files: FileTexts,
  options: PlanOptions,
): Promise<VaultPlan> {
  return planSetup(setup, files, await readActual(api, setup), options)
}

/**
 * @param first what `examineSetup` has just found, if that was shown to somebody who said yes to it
 * @throws AgentError `setup-conflict` before any change; anything else leaves a part done, which the next run completes
 */
export async function applySetup(
  api: VaultAdmin,
  setup: Setup,
  files: FileTexts,
  options: ApplyOptions,
  first?: VaultPlan,
): Promise<Outcome> {
  const examine = (more: PlanOptions): Promise<VaultPlan> => examineSetup(api, setup, files, more)
  const plan = await bringInStep<Change>(first ?? (await examine(options)), {
    // Once is enough for secrets: afterwards the look would find the same secret unseen again.
    recheck: () => examine({ ...options, writeSecrets: false }),
    makeOne: (change, attempt) => write(api, setup, change, attempt),
    changed: options.changed,
    // Now the accessor is known, which the rest of this plan lacks.
    needsRecheck: (change) => change.do === 'enable' && change.path.startsWith('sys/auth/'),
    about: ({ path, differences }) => {
      const fields = differences?.map(({ field }) => field).join(', ')
      return { path, text: fields === undefined ? path : `${path}: ${fields}` }
    },
    reasons: { conflict: 'setup-conflict', contended: 'setup-contended' },
  })
  return { plan, request: plan.waitsFor === undefined ? undefined : await requestOf(api, setup) }
}

async function write(api: VaultAdmin, setup: Setup, change: Change, attempt: number): Promise<void> {
  try {
    if (change.do === 'import-certificate') await refuseForeignCertificate(api, setup, change.body)
    await api.write(change.path, change.body)
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'vault-request-refused') throw error
    // Another run may have been first.
    throw new AgentError(attempt === 1 ? 'setup-contended' : 'setup-refused', error.message, { cause: error })
  }
}

/**
 * Certificates for when nothing better can be had: the node-local cache, which gets every bundle that is published, and the static
 * Secret. What comes from them must pass the same gate as a new one. If it does not, that is told and is no failure.
 */
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Bundle } from '../pki/bundle.ts'
import { askEtcd } from './acceptance.ts'
import { gateContext, type TargetContext } from './context.ts'
import { requirePass } from './gate/gate.ts'

/**
 * The bundle that is kept there, for a target that has nothing better; undefined if there is none that passes the gate.
 * @param without checks of the gate that are left out
 * @param isWanted asked before etcd is
 */
export async function findFallback(
  context: TargetContext,
  place: keyof TargetContext['fallback'],
  without: readonly ReasonCode[],
  isWanted: (bundle: Bundle) => boolean = () => true,
): Promise<Bundle | undefined> {
  const judged = gateContext(context)
  const bundle = read(context, place)
  if (bundle === undefined) return undefined
  try {
    requirePass(bundle, judged, without)
    if (!isWanted(bundle)) return undefined
    // It would replace nothing, so etcd is asked about it as about a new one.
    await askEtcd(context, bundle, 'certificate')
    return bundle
  } catch (error) {
    tell(context, error, `${context.fallback[place]?.path ?? ''}: `)
    return undefined
  }
}

/** Puts a published bundle into the cache. */
export function saveFallback(context: TargetContext, bundle: Bundle): void {
  const { fallback, clock } = context
  try {
    fallback.state?.publish(bundle.text, new Date(clock.now()))
  } catch (error) {
    tell(context, error)
  }
}

/** Warns of CA certificates that stood beside those of the bundle; answers whether there were any. */
export function tellUnusableCa({ component, emit }: TargetContext, bundle: Bundle | undefined): boolean {
  if (bundle?.unusableCa === undefined) return false
  emit({ type: 'store-flaw', component, reason: 'ca-unusable', detail: bundle.unusableCa.join('; ') })
  return true
}

function read(context: TargetContext, place: keyof TargetContext['fallback']): Bundle | undefined {
  try {
    const bundle = context.fallback[place]?.current()
    tellUnusableCa(context, bundle)
    return bundle
  } catch (error) {
    // A directory that is not there (yet) is nothing to tell of.
    if (!(error instanceof AgentError && error.code === 'directory-missing')) tell(context, error)
    return undefined
  }
}

function tell({ component, emit }: TargetContext, error: unknown, where = ''): void {
  if (!(error instanceof AgentError)) throw error
  emit({ type: 'fallback-failed', component, reason: error.code, detail: where + error.message })
}

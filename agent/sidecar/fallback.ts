/**
 * Certificates for when nothing better can be had: the node-local cache, which gets every bundle that is published, and the static
 * Secret. What comes from them passes the same gate as a new one; what does not is told, and is no failure.
 */
import type { Clock } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import type { ReasonCode } from '../core/reason-catalog.ts'
import type { Bundle } from '../pki/bundle.ts'
import { type GateContext, requirePass } from './gate/gate.ts'
import type { Listener } from './observe/events.ts'
import type { SecretDir } from './store/secret-dir.ts'
import type { StaticDir } from './store/static-dir.ts'

export interface FallbackOptions {
  readonly component: string
  /** The node-local cache. */
  readonly state: (StaticDir & Pick<SecretDir, 'publish'>) | undefined
  /** A static Secret. */
  readonly bootstrap: StaticDir | undefined
  readonly clock: Clock
  readonly emit: Listener
}

export interface Fallback {
  /**
   * The bundle that is kept there, for a target that has nothing better; undefined if there is none that passes the gate.
   * @param without checks of the gate that are left out
   * @param admit the last step of the gate: asks etcd. @throws AgentError
   * @param isWanted asked before etcd is
   */
  find(
    place: 'state' | 'bootstrap',
    context: GateContext,
    without: readonly ReasonCode[],
    admit: (bundle: Bundle) => Promise<void>,
    isWanted?: (bundle: Bundle) => boolean,
  ): Promise<Bundle | undefined>
  /** Puts a published bundle into the cache. */
  save(bundle: Bundle): void
}

/** Warns of CA certificates that stood beside those of the bundle; answers whether there were any. */
export function tellUnusableCa(
  { component, emit }: Pick<FallbackOptions, 'component' | 'emit'>,
  bundle: Bundle | undefined,
): boolean {
  if (bundle?.unusableCa === undefined) return false
  emit({ type: 'store-flaw', component, reason: 'ca-unusable', detail: bundle.unusableCa.join('; ') })
  return true
}

export function createFallback({ component, state, bootstrap, clock, emit }: FallbackOptions): Fallback {
  const places = { state, bootstrap }

  function fail(error: unknown, where = ''): void {
    if (!(error instanceof AgentError)) throw error
    emit({ type: 'fallback-failed', component, reason: error.code, detail: where + error.message })
  }

  function read(directory: StaticDir | undefined): Bundle | undefined {
    try {
      const bundle = directory?.current()
      tellUnusableCa({ component, emit }, bundle)
      return bundle
    } catch (error) {
      // That there is no such directory (yet) is nothing to tell.
      if (!(error instanceof AgentError && error.code === 'directory-missing')) fail(error)
      return undefined
    }
  }

  return {
    async find(place, context, without, admit, isWanted = () => true) {
      const bundle = read(places[place])
      if (bundle === undefined) return undefined
      try {
        requirePass(bundle, context, without)
        if (!isWanted(bundle)) return undefined
        await admit(bundle)
        return bundle
      } catch (error) {
        fail(error, `${places[place]?.path ?? ''}: `)
        return undefined
      }
    },
    save(bundle) {
      try {
        state?.publish(bundle.text, new Date(clock.now()))
      } catch (error) {
        fail(error)
      }
    },
  }
}

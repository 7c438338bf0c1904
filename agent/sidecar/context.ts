/** What the steps of one target work with: its state, the parts that have effects, and who is told. */

import type { X509Certificate } from 'node:crypto'
import type { Target } from '../config/config.ts'
import type { Clock, Moment, SaneClocks } from '../core/clock.ts'
import { AgentError } from '../core/errors.ts'
import type { LiveCertificate } from '../pki/ca-set.ts'
import type { EtcdProbe } from './gate/etcd-probe.ts'
import type { GateContext } from './gate/gate.ts'
import type { ReadInputs } from './inputs.ts'
import { nextState } from './next-state.ts'
import type { Listener } from './observe/events.ts'
import type { BundleSource, Wanted } from './source/source.ts'
import type { IssuanceRecord } from './store/records.ts'
import type { SecretDir } from './store/secret-dir.ts'
import type { StaticDir } from './store/static-dir.ts'
import type { TargetDir } from './store/target-dir.ts'
import type { TargetEvent } from './target-state.ts'
import { isToldAlike, type TargetRules, type TargetState, unknownTarget, viewOf } from './target-state.ts'

export interface TargetOptions {
  readonly target: Target
  /** @throws AgentError if the name depends on a credential that cannot be read */
  readonly commonName: () => string
  readonly directory: TargetDir
  readonly source: BundleSource
  /** Where a certificate is found if nothing better can be had (fallback.ts). */
  readonly fallback: {
    /** The node-local cache. */
    readonly state: (StaticDir & Pick<SecretDir, 'publish'>) | undefined
    /** A static Secret. */
    readonly bootstrap: StaticDir | undefined
  }
  readonly record: IssuanceRecord
  /** CA certificates of etcd's servers, read when they are needed. @throws AgentError */
  readonly etcdCa: () => readonly X509Certificate[]
  /** Undefined if etcd is not asked. */
  readonly probe: EtcdProbe | undefined
  readonly readInputs: ReadInputs
  readonly rules: TargetRules
  /** What an operator has set for the making of certificates. */
  readonly issuance: {
    /** How many rotations may keep the private key. */
    readonly keyReuse: number
    /** Certificates in any hour; undefined: as the lifetime needs them. */
    readonly budget: number | undefined
    readonly renewAt: number
    readonly ttlSeconds: number
  }
  /** The least lifetime that is worth publishing (gate/gate.ts). */
  readonly minLifetimeMs: number
  readonly clock: Clock
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly clocks: () => SaneClocks
  /** From 0 to 1. */
  readonly random: () => number
  readonly emit: Listener
}

export interface TargetContext extends TargetOptions {
  readonly component: string
  readonly state: () => TargetState
  /** The one place where the state changes, and is told. */
  readonly apply: (event: TargetEvent) => void
  readonly moment: () => Moment
  /** Tells once of a flaw of the record of certificates, which stops nothing. Rethrows what is a bug. */
  readonly tellFlaw: (error: unknown) => void
}

export function createContext(options: TargetOptions): TargetContext {
  const { now, clock, rules } = options
  const moment = (): Moment => ({
    wallMs: now(),
    earliestMs: options.clocks().earliestMs,
    mono: clock.monotonic(),
  })
  const { component } = options.target
  let state = unknownTarget
  let isFlawTold = false
  return {
    ...options,
    component,
    moment,
    tellFlaw: (error) => {
      if (!(error instanceof AgentError)) throw error
      if (!isFlawTold) options.emit({ type: 'store-flaw', component, reason: error.code, detail: error.message })
      isFlawTold = true
    },
    state: () => state,
    apply: (event) => {
      const before = state
      state = nextState(before, event, moment(), rules)
      if (!isToldAlike(before, state)) options.emit({ type: 'state', component, state: viewOf(state) })
    },
  }
}

/** What a candidate is judged against. @param live certificates whose CA it must keep */
export function gateContext(context: TargetContext, live: readonly LiveCertificate[] = []): GateContext {
  const { now, clocks, commonName, minLifetimeMs } = context
  return { nowMs: now(), clocks: clocks(), commonName: commonName(), minLifetimeMs, live }
}

/** What the source is asked for. */
export function wantedFrom({ target, commonName, state, now }: TargetContext): Wanted {
  const { published } = state()
  const isGood = published !== undefined && published.validity.notAfterMs > now()
  return { target, commonName: commonName(), published: isGood ? published.bundle : undefined }
}

/** Certificates that may be in use: the published one and the one before it. */
export function liveIn({ state, directory }: TargetContext): LiveCertificate[] {
  return [state().published?.bundle, directory.previous()].filter((bundle) => bundle !== undefined)
}

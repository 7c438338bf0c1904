/**
 * Owns having a certificate made: within the budget, with a new key or the one that may be kept. What is about to be made is
 * counted and written down first, so that a process that dies of it has counted it.
 */
import type { KeyObject } from 'node:crypto'
import type { Target } from '../config/config.ts'
import { formatDuration } from '../config/duration.ts'
import { AgentError } from '../errors.ts'
import type { Listener } from '../observe/events.ts'
import type { ReasonCode } from '../reasons.ts'
import type { BundleSource, Candidate, News, Wanted } from '../source/source.ts'
import type { IssuanceRecord } from '../store/issuance-record.ts'
import { planBudget, planIssuance, planRecent, windowMs } from './budget.ts'
import { createKeyReuse } from './key-reuse.ts'
import type { Published } from './publisher.ts'

export interface IssuanceOptions {
  readonly target: Target
  /** @throws AgentError where the name depends on a credential that cannot be read */
  readonly commonName: () => string
  readonly source: BundleSource
  /** How many rotations may keep the private key. */
  readonly keyReuse: number
  /** Certificates in any hour; undefined: as the lifetime needs them. */
  readonly budget: number | undefined
  readonly renewAt: number
  readonly ttlSeconds: number
  readonly record: IssuanceRecord
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly emit: Listener
}

export interface Issuance {
  /**
   * A new certificate, to replace what is published; undefined where the source has nothing newer.
   * @throws AgentError `budget-spent`, or as the source
   */
  obtain(reason: ReasonCode, published: Published | undefined): Promise<Candidate | undefined>
  /** Looks at the source without having anything made. @throws AgentError */
  look(published: Published | undefined): Promise<News>
  /** The certificate with this key has been published. */
  used(key: KeyObject): void
}

export function createIssuance(options: IssuanceOptions): Issuance {
  const { target, commonName, source, budget, renewAt, ttlSeconds, record, now, emit } = options
  const { component } = target
  const keys = createKeyReuse(options.keyReuse)
  /** Counts where the record does not: it could not be written last. */
  let unwritten: readonly number[] | undefined
  let isFlawTold = false

  function wantedFor(published: Published | undefined): Wanted {
    const isGood = published !== undefined && published.validity.notAfterMs > now()
    return { target, commonName: commonName(), published: isGood ? published.bundle : undefined }
  }

  function tellFlaw(error: unknown): void {
    if (!(error instanceof AgentError)) throw error
    if (!isFlawTold) emit({ type: 'store-flaw', component, reason: error.code, detail: error.message })
    isFlawTold = true
  }

  function readRecord(): readonly number[] {
    if (unwritten !== undefined) return unwritten
    try {
      return record.read()
    } catch (error) {
      tellFlaw(error)
      return []
    }
  }

  function write(issuedAtMs: readonly number[], limit: number): void {
    try {
      record.write(issuedAtMs)
      unwritten = undefined
    } catch (error) {
      tellFlaw(error)
      unwritten = issuedAtMs
    }
    emit({ type: 'issuance-budget', component, limit, spentUntilMs: issuedAtMs.map((ms) => ms + windowMs) })
  }

  /** Counts one certificate; answers how to take that back. */
  function spend(published: Published | undefined): () => void {
    const nowMs = now()
    const { notBeforeMs, notAfterMs } = published?.validity ?? { notBeforeMs: 0, notAfterMs: ttlSeconds * 1000 }
    const limit = budget ?? planBudget(notAfterMs - notBeforeMs, renewAt)
    const recent = planRecent(readRecord(), nowMs)
    const waitMs = planIssuance(recent, { limit, nowMs, neededAtMs: published?.plan.floorMs ?? 0 })
    if (waitMs > 0) {
      // Also where nothing is made: times of the future have become times of now, and must not do so again and again.
      write(recent, limit)
      const detail = `${component}: ${recent.length} certificates within an hour, the budget is ${limit}; the next one may be made in ${formatDuration(waitMs)}`
      throw new AgentError('budget-spent', detail, { retryAfterMs: waitMs })
    }
    write([...recent, nowMs], limit)
    return () => write(recent, limit)
  }

  return {
    used: (key) => keys.used(key),
    look: async (published) => await source.look(wantedFor(published)),
    async obtain(reason, published) {
      const wanted = wantedFor(published)
      // What somebody else makes costs nothing to read.
      if (!source.makes) return await source.obtain(wanted, undefined)
      const reused = keys.reusable(published?.bundle.key)
      const takeBack = spend(published)
      try {
        const candidate = await source.obtain(wanted, reused)
        if (candidate === undefined) {
          takeBack()
          return undefined
        }
        const { serialNumber } = candidate.leaf
        emit({ type: 'issued', component, serialNumber, keyReused: reused !== undefined, reason })
        return candidate
      } catch (error) {
        // An outage must not spend what its end will need. What came and cannot be read was made, though.
        if (error instanceof AgentError && error.code !== 'malformed') takeBack()
        throw error
      }
    },
  }
}

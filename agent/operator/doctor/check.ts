/** Owns what a check of `doctor` is, and what it may find. */
import type { Target } from '../../config/config.ts'
import { AgentError } from '../../core/errors.ts'
import type { ReasonCode } from '../../core/reason-catalog.ts'
import type { Access } from './access.ts'

/** From good to bad; `skipped` says nothing, as a check that it builds on has failed or it was not asked for. */
export type Status = 'ok' | 'skipped' | 'warning' | 'failure'

export interface Verdict {
  readonly status: Status
  /** What was seen: one or more lines. */
  readonly saw: string
  /** What to do; if a reason is given, its own advice is the default. */
  readonly advice?: string | undefined
  readonly code?: ReasonCode | undefined
}

export interface Check {
  /** The anchor in docs/doctor.md as well. */
  readonly id: string
  /** What it is about, as a heading. */
  readonly title: string
  /** Made only if certificates come from Vault, from its PKI, or from somebody else who makes them (AGENT_SOURCE), or with AGENT_ON_PUBLISH. */
  readonly where?: 'vault' | 'pki' | 'delivered' | 'on-publish'
  /** The checks without whose success this one would only repeat their failure. */
  readonly needs?: readonly string[]
  /** The effect, through `access`; it throws AgentError for what fails, and judges with a pure function what succeeds. */
  readonly run: (access: Access, target: Target) => Promise<Verdict> | Verdict
  /** Once in all (default), or for each target. */
  readonly each?: 'target'
}

export interface Finding extends Verdict {
  readonly check: string
  readonly title: string
  /** The component, if the check is made for each target. */
  readonly target: string | undefined
}

export const ok = (saw: string): Verdict => ({ status: 'ok', saw })
export const warning = (saw: string, advice: string, code?: ReasonCode): Verdict => ({
  status: 'warning',
  saw,
  advice,
  code,
})
export const failure = (saw: string, code: ReasonCode, advice?: string): Verdict => ({
  status: 'failure',
  saw,
  advice,
  code,
})
export const skipped = (saw: string): Verdict => ({ status: 'skipped', saw })

/** An expected failure as a finding; anything else is a bug and is thrown on. */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof AgentError) return failure(error.message, error.code, error.advice)
  throw error
}

/** The reason with the advice that Vault's words call for, if they are known. */
export class ExplainedError extends AgentError {
  readonly #advice: string

  constructor(error: AgentError, advice: string) {
    super(error.code, error.message, { cause: error })
    this.#advice = advice
  }

  override get advice(): string {
    return this.#advice
  }
}

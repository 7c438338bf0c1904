/** Owns what a check of `doctor` is, and what it may find. */
import type { Config, Target } from '../../config/config.ts'
import { AgentError } from '../../core/errors.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
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

/** When a check has a point: what is not there by configuration needs none, and nothing that builds on it has to wait. */
export const configured = {
  vault: ({ source }: Config) => source.kind !== 'file',
  pki: ({ source }: Config) => source.kind === 'pki',
  /** Somebody else makes the certificates. */
  delivered: ({ source }: Config) => source.kind !== 'pki',
  'on-publish': ({ onPublish }: Config) => onPublish !== undefined,
} as const

export interface Check {
  /** The anchor in docs/doctor.md as well. */
  readonly id: string
  /** What it is about, as a heading. */
  readonly title: string
  /** Without it, always. */
  readonly where?: keyof typeof configured
  /** The checks without whose success this one would only repeat their failure. */
  readonly needs?: readonly string[]
  /** The effect, through `access`; it throws AgentError for what fails, and judges with a pure function what succeeds. */
  readonly run: (access: Access, target: Target) => Promise<Verdict> | Verdict
  /** Once in all (default), or for each target. */
  readonly each?: 'target'
}

/** What to do, and by default what the reason calls for. */
export function adviceOf({ advice, code }: Pick<Verdict, 'advice' | 'code'>): string | undefined {
  return advice ?? (code && reasons[code].advice)
}

export interface Finding extends Verdict {
  readonly check: string
  readonly title: string
  /** The component, if the check is made for each target. */
  readonly target: string | undefined
}

export function ok(saw: string): Verdict {
  return { status: 'ok', saw }
}

export function skipped(saw: string): Verdict {
  return { status: 'skipped', saw }
}

export function warning(saw: string, advice: string, code?: ReasonCode): Verdict {
  return { status: 'warning', saw, advice, code }
}

export function failure(saw: string, code: ReasonCode, advice?: string): Verdict {
  return { status: 'failure', saw, advice, code }
}

/**
 * An expected failure as a finding; anything else is a bug and is thrown on.
 * @param advice what to do, if more is known than the reason says
 */
export function verdictOf(error: unknown, advice?: string): Verdict {
  if (error instanceof AgentError) return failure(error.message, error.code, advice ?? error.advice)
  throw error
}

/** What the server's own words in a refusal call for. The first row that matches counts. */
export type KnownRefusals = readonly (readonly [words: RegExp, advice: string])[]

export function adviceFor({ message }: AgentError, refusals: KnownRefusals): string | undefined {
  return refusals.find(([words]) => words.test(message))?.[1]
}

export function hasCode(error: unknown, ...codes: readonly ReasonCode[]): error is AgentError {
  return error instanceof AgentError && codes.includes(error.code)
}

/** Owns what a line of the log is made of, and how every failure reads. */
import { isoTime } from '../../core/clock.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { EventOf, EventType } from './events.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly level: Level
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** How events of these types read; undefined: an operator needs no line for them. */
export type LineTable<Types extends EventType> = {
  readonly [Type in Types]: ((event: EventOf<Type>, nowMs: number) => LogLine) | undefined
}

export function line(level: Level, message: string, fields: LogLine['fields']): LogLine {
  return { level, message, fields }
}

interface Failed {
  readonly component?: string
  readonly reason: ReasonCode
  readonly detail: string
}

/** `subject: what happened; rest. What to do` */
export function failureLine(
  level: Level,
  subject: string,
  event: Failed,
  rest?: string,
  fields: LogLine['fields'] = {},
): LogLine {
  const { summary, advice } = reasons[event.reason]
  const message = `${subject}: ${summary}${rest === undefined ? '' : `; ${rest}`}. ${advice}`
  return line(level, message, { ...failureFields(event), ...fields })
}

export function failureFields({ component, reason, detail }: Failed): LogLine['fields'] {
  return { ...(component !== undefined && { component }), reason, error: detail, runbook: runbookOf(reason) }
}

export function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoTime(ms)
}

/** What a line of the log is made of. */

export type Level = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly level: Level
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export function line(level: Level, message: string, fields: LogLine['fields']): LogLine {
  return { level, message, fields }
}

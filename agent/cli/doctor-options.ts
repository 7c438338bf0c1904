/** Owns the arguments of `doctor`. */
import { choice, parseFlags } from './arguments.ts'
import { UsageError } from './failure.ts'

export interface DoctorOptions {
  readonly output: 'text' | 'json'
  readonly signs: boolean
  readonly consumer: { readonly uid: number; readonly gid: number } | undefined
}

const flags = {
  output: { type: 'string' },
  consumer: { type: 'string' },
  'no-sign': { type: 'boolean' },
} as const

/** @throws UsageError */
export function parseDoctorOptions(argv: readonly string[]): DoctorOptions {
  const values = parseFlags('doctor', argv, flags)
  return {
    output: choice('output', values.output, ['text', 'json']),
    signs: values['no-sign'] !== true,
    consumer: readConsumer(values.consumer),
  }
}

function readConsumer(text: string | undefined): DoctorOptions['consumer'] {
  if (text === undefined) return undefined
  const [, uid, gid = '0'] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (uid === undefined) throw new UsageError('--consumer is a user such as 999 or 10001:10001')
  return { uid: Number(uid), gid: Number(gid) }
}

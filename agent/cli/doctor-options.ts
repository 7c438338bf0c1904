/** Owns the arguments of `doctor`. */
import { parseArgs } from 'node:util'
import { messageOf } from '../errors.ts'
import { UsageError } from './failure.ts'

export interface DoctorOptions {
  readonly output: 'text' | 'json'
  readonly signs: boolean
  readonly consumer: { readonly uid: number; readonly gid: number } | undefined
}

/** @throws UsageError */
export function parseDoctorOptions(argv: readonly string[]): DoctorOptions {
  const values = parsed(argv)
  const { output = 'text' } = values
  if (output !== 'text' && output !== 'json') throw new UsageError('doctor --output is text or json')
  return { output, signs: values['no-sign'] !== true, consumer: readConsumer(values['consumer']) }
}

function parsed(argv: readonly string[]) {
  const string = { type: 'string' } as const
  const options = { output: string, consumer: string, 'no-sign': { type: 'boolean' } } as const
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values
  } catch (error) {
    // `Unknown option '--x'. To specify a positional …`: the first sentence says it.
    throw new UsageError(`doctor: ${messageOf(error).split('. ', 1)[0]}`)
  }
}

function readConsumer(text: string | undefined): DoctorOptions['consumer'] {
  if (text === undefined) return undefined
  const [, uid, gid = '0'] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (uid === undefined) throw new UsageError('doctor --consumer is a user such as 999 or 10001:10001')
  return { uid: Number(uid), gid: Number(gid) }
}

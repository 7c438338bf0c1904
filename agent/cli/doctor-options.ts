/** Owns what the options of `doctor` mean. */
import { UsageError } from './failure.ts'

export interface DoctorOptions {
  readonly output: 'text' | 'json'
  readonly signs: boolean
  readonly consumer: { readonly uid: number; readonly gid: number } | undefined
}

/** As commander reads them. */
interface Given {
  readonly output: 'text' | 'json'
  readonly sign: boolean
  readonly consumer?: string
}

/** @throws UsageError */
export function readDoctorOptions({ output, sign, consumer }: Given): DoctorOptions {
  return { output, signs: sign, consumer: readConsumer(consumer) }
}

function readConsumer(text: string | undefined): DoctorOptions['consumer'] {
  if (text === undefined) return undefined
  const [, uid, gid = '0'] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (uid === undefined) throw new UsageError('--consumer is a user such as 999 or 10001:10001')
  return { uid: Number(uid), gid: Number(gid) }
}

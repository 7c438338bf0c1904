/** Owns what the options of `doctor` mean. */
import { type ConnectionSettings, type GivenConnection, readConnection } from './connection-options.ts'
import { UsageError } from './failure.ts'

export interface DoctorOptions {
  readonly output: 'text' | 'json'
  readonly signs: boolean
  readonly connection: ConnectionSettings
  readonly consumer: { readonly uid: number; readonly gid: number } | undefined
}

/** As commander reads them. */
interface Given extends GivenConnection {
  readonly output: 'text' | 'json'
  readonly sign: boolean
  readonly consumer?: string
}

/** @throws UsageError */
export function readDoctorOptions(given: Given): DoctorOptions {
  const { output, sign, consumer } = given
  return { output, signs: sign, connection: readConnection(given), consumer: readConsumer(consumer) }
}

function readConsumer(text: string | undefined): DoctorOptions['consumer'] {
  if (text === undefined) return undefined
  const [, uid, gid = '0'] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (uid === undefined) throw new UsageError('--consumer is a user such as 999 or 10001:10001')
  return { uid: Number(uid), gid: Number(gid) }
}

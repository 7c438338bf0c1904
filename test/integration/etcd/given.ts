/** Owns what a block of tests on real etcd is given: a member, from before its first test until after its last. */
import { afterAll, beforeAll } from 'vitest'
import type { EtcdClient } from '../../../agent/operator/etcd/client.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { clientOf, type EtcdVersion, type Operator, operatorFiles, startMembers } from './rig.ts'

/** Only to be read in a test or a hook. */
export interface GivenEtcd {
  readonly etcd: RealEtcd
}

export function givenEtcd(version: EtcdVersion): GivenEtcd {
  let etcd: RealEtcd | undefined
  beforeAll(async () => {
    ;[etcd] = await startMembers(version)
  })
  afterAll(async () => await etcd?.stop())
  return {
    get etcd() {
      return there(etcd)
    },
  }
}

/** With authentication on, and a client of its administrator. */
export function givenAuthEtcd(version: EtcdVersion): GivenEtcd & { readonly api: EtcdClient } {
  const given = givenEtcd(version)
  let api: EtcdClient | undefined
  beforeAll(async () => {
    const root = await given.etcd.client('root')
    await etcdAuth(root).enable()
    api = clientOf(root)
  })
  afterAll(() => api?.close())
  return {
    get etcd() {
      return given.etcd
    },
    get api() {
      return there(api)
    },
  }
}

/** With authentication off, and whoever is about to switch it on. */
export function givenOperator(version: EtcdVersion): GivenEtcd & { readonly operator: Operator } {
  const given = givenEtcd(version)
  let operator: Operator | undefined
  beforeAll(async () => {
    operator = operatorFiles(await given.etcd.client('admin'))
  })
  afterAll(() => operator?.remove())
  return {
    get etcd() {
      return given.etcd
    },
    get operator() {
      return there(operator)
    },
  }
}

function there<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('it is only there in tests and hooks')
  return value
}

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  countGrants,
  decodeRoles,
  encodeRange,
  encodeRoleGet,
  encodeUserGet,
} from '../../../../../agent/sidecar/gate/probe/messages.ts'
import { bytes, fieldsOf, integer } from '../../../../support/etcd-grpc.ts'

describe('requests', () => {
  test('are what protobuf makes of them', () => {
    // RangeRequest{key: "/a", serializable: true, count_only: true}, AuthUserGetRequest{name: "u"}, AuthRoleGetRequest{role: "r"}
    expect(encodeRange('/a').toString('hex')).toBe('0a022f6138014801')
    expect(encodeUserGet('u').toString('hex')).toBe('0a0175')
    expect(encodeRoleGet('r').toString('hex')).toBe('0a0172')
  })

  test('hold names of any length and script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
        expect(fieldsOf(encodeUserGet(name), 1).map(String)).toEqual([Buffer.from(name).toString()])
      }),
    )
  })
})

describe('answers', () => {
  test('the roles of a user, whatever stands beside them', () => {
    const header = bytes(1, Buffer.concat([integer(1, 2 ** 31), integer(4, 300)]))
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 200 })), (roles) => {
        const message = Buffer.concat([header, ...roles.map((role) => bytes(2, role)), bytes(900, 'new in etcd 9')])
        expect(decodeRoles(message)).toEqual(roles)
        expect(countGrants(message)).toBe(roles.length)
      }),
    )
  })

  test('numbers, doubles and large numbers are passed over', () => {
    const revision = Buffer.from('20ffffffffffffffffff01', 'hex')
    const fixed = Buffer.from('3101020304050607083d01020304', 'hex')
    expect(decodeRoles(Buffer.concat([revision, fixed, bytes(2, 'role')]))).toEqual(['role'])
    expect(decodeRoles(Buffer.alloc(0))).toEqual([])
  })

  test.each([
    ['a field that is cut off', '127f41'],
    ['a number without end', '20ffffffffffffffffffffffffffffffff'],
    ['a number that is cut off', '2080'],
    ['half a double', '3101'],
    ['a wire type that is no more', '1300'],
  ])('%s is a RangeError', (_, hex) => {
    expect(() => decodeRoles(Buffer.from(hex, 'hex'))).toThrow(RangeError)
  })

  test('any bytes give roles or a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (each) => {
        expect(outcome(Buffer.from(each))).toMatch(/^(roles|RangeError)$/)
      }),
    )
  })
})

function outcome(message: Buffer): string {
  try {
    decodeRoles(message)
    return 'roles'
  } catch (error) {
    return error instanceof Error ? error.name : 'nothing'
  }
}

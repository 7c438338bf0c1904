/**
 * Owns the few messages of etcd's API that the probe needs, in protobuf's wire format: written by hand, as a library for them
 * would cost more than all of the probe (docs/adr/0008).
 * @see https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto
 * @see https://protobuf.dev/programming-guides/encoding/
 */

/** Wire types. */
const varintType = 0
const fixed64Type = 1
const bytesType = 2
const fixed32Type = 5

/** RangeRequest for one key: from the member that is asked, and only whether it is there. */
export function encodeRange(key: string): Buffer {
  const [keyField, serializable, countOnly] = [1, 7, 9]
  return Buffer.concat([bytesField(keyField, key), flagField(serializable), flagField(countOnly)])
}

/** AuthUserGetRequest. */
export function encodeUserGet(name: string): Buffer {
  return bytesField(1, name)
}

/** The names of the roles in an AuthUserGetResponse. @throws RangeError if it is malformed */
export function decodeRoles(message: Buffer): string[] {
  return bytesFields(message, 2).map(String)
}

/** AuthRoleGetRequest. */
export function encodeRoleGet(role: string): Buffer {
  return bytesField(1, role)
}

/** How many grants are in an AuthRoleGetResponse. @throws RangeError if it is malformed */
export function countGrants(message: Buffer): number {
  return bytesFields(message, 2).length
}

function bytesField(field: number, value: string): Buffer {
  const content = Buffer.from(value)
  return Buffer.concat([varint((field << 3) | bytesType), varint(content.length), content])
}

function flagField(field: number): Buffer {
  return Buffer.concat([varint((field << 3) | varintType), varint(1)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** The contents of every string, bytes or message field with this number. */
function bytesFields(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = []
  let at = 0
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw new RangeError('a field is longer than its message')
    at += length
    return message.subarray(at - length, at)
  }
  const takeVarint = (): number => {
    // Past 2^53 it loses digits: revisions do, and nobody asks for them. Lengths that large fail in take.
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = take(1).readUInt8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      if (scale > 2 ** 63) throw new RangeError('a number has no end')
    }
  }
  while (at < message.length) {
    const tag = takeVarint()
    const type = tag % 8
    if (type === varintType) takeVarint()
    else if (type === fixed64Type) take(8)
    else if (type === fixed32Type) take(4)
    else if (type !== bytesType) throw new RangeError(`there is no wire type ${type}`)
    else {
      const content = take(takeVarint())
      if (Math.floor(tag / 8) === field) found.push(content)
    }
  }
  return found
}

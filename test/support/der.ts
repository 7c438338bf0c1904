/** Owns DER (X.690): writing the values that certificates are made of, and reading them back as a tree. */

export function tagged(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  const length: number[] = []
  if (body.length < 0x80) {
    length.push(body.length)
  } else {
    for (let rest = body.length; rest > 0; rest >>= 8) length.unshift(rest & 0xff)
    length.unshift(0x80 | length.length)
  }
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => tagged(0x30, ...items)
export const set = (...items: readonly Uint8Array[]): Buffer => tagged(0x31, ...items)
export const octetString = (content: Uint8Array): Buffer => tagged(0x04, content)
export const utf8String = (text: string): Buffer => tagged(0x0c, Buffer.from(text))
export const isTrue = (): Buffer => tagged(0x01, Buffer.from([0xff]))
export const nothing = (): Buffer => tagged(0x05)
/** `[n]` around the values. */
export const explicit = (n: number, ...items: readonly Uint8Array[]): Buffer => tagged(0xa0 | n, ...items)
/** `[n]` instead of the value's own tag, of a primitive type. */
export const implicit = (n: number, content: Uint8Array): Buffer => tagged(0x80 | n, content)

/** Not negative; big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Buffer.from([0]) : bytes.subarray(first)
  return tagged(0x02, ...((digits[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), digits)
}

export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return tagged(0x03, Buffer.from([unusedBits]), content)
}

/** A set of numbered bits, as a key usage: without zero bits at the end (X.690, 11.2.2). */
export function namedBits(bits: readonly number[]): Buffer {
  const last = Math.max(...bits)
  const content = Buffer.alloc(Math.floor(last / 8) + 1)
  for (const bit of bits) content[bit >> 3] = (content[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  return bitString(content, 7 - (last & 7))
}

export function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f]
    for (let left = number >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return tagged(0x06, Buffer.from(bytes))
}

/** Whole seconds; two digits of the year until 2049 (RFC 5280, 4.1.2.5). */
export function time(date: Date): Buffer {
  const text = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text))
}

export interface DerNode {
  readonly tag: number
  readonly content: Buffer
  /** With tag and length. */
  readonly raw: Buffer
  /** The values in it, when it is made of values. */
  readonly children: readonly DerNode[]
}

/** Throws when it is not one whole value. */
export function readDer(bytes: Buffer): DerNode {
  const [node, ...more] = readAll(bytes)
  if (node === undefined || more.length > 0) throw new RangeError('not one DER value')
  return node
}

function readAll(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes.readUInt8(at)
    const short = bytes.readUInt8(at + 1)
    const count = short < 0x80 ? 0 : short & 0x7f
    const length = count === 0 ? short : bytes.readUIntBE(at + 2, count)
    const start = at + 2 + count
    if (count > 4 || start + length > bytes.length) throw new RangeError('a DER value ends too soon')
    const content = bytes.subarray(start, start + length)
    const isConstructed = (tag & 0x20) !== 0
    nodes.push({
      tag,
      content,
      raw: bytes.subarray(at, start + length),
      children: isConstructed ? readAll(content) : [],
    })
    at = start + length
  }
  return nodes
}

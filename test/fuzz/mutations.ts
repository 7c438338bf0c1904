/**
 * Owns making hostile input out of good input: what is changed is always a piece of the structure (a value of a JSON document, a
 * length of DER, a line of PEM, a character of a text), so that a parser is met behind its first check and not only in front of it.
 */
import * as fc from 'fast-check'

/** Where, as a fraction of what is there, and what is done there. */
interface Cut {
  readonly at: number
  readonly length: number
  readonly kind: 'delete' | 'repeat' | 'replace' | 'truncate'
  readonly by: string
}

const nasty = fc.constantFrom(
  '\0',
  '\n',
  '\r\n',
  '\u2028',
  '"',
  '{',
  '[',
  '\ud800',
  '=',
  '/../',
  '%00',
  '-----',
  '…',
  'é',
)
const fraction = fc.double({ min: 0, max: 0.999, noNaN: true })
const cuts: fc.Arbitrary<Cut[]> = fc.array(
  fc.record({
    at: fraction,
    length: fraction,
    kind: fc.constantFrom('delete', 'repeat', 'replace', 'truncate'),
    by: fc.oneof(nasty, fc.string({ maxLength: 8, unit: 'binary' })),
  }),
  { minLength: 1, maxLength: 4 },
)

/** One of the samples with some pieces cut, repeated or replaced; now and then something that never was good. */
export function brokenText(samples: readonly string[]): fc.Arbitrary<string> {
  const broken = fc.tuple(fc.constantFrom(...samples), cuts).map(([sample, each]) => each.reduce(cutText, sample))
  return fc.oneof({ weight: 9, arbitrary: broken }, { weight: 1, arbitrary: fc.string({ unit: 'binary' }) })
}

function cutText(text: string, { at, length, kind, by }: Cut): string {
  const from = Math.floor(at * text.length)
  const to = from + 1 + Math.floor(length * Math.min(40, text.length - from))
  const [before, piece, after] = [text.slice(0, from), text.slice(from, to), text.slice(to)]
  if (kind === 'truncate') return before
  return before + (kind === 'delete' ? '' : kind === 'repeat' ? piece.repeat(3) : by) + after
}

const hostileValue = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1e308, Number.NaN, '', [], {}, [[]], { keys: null }, 'a'.repeat(5000)),
  fc.constantFrom<unknown>({ __proto__: null, toString: 1 }, ['../../x', 'a b', 'x\r\ny: z'], '9'.repeat(400)),
  fc.jsonValue({ maxDepth: 2 }),
)

/** The sample with one to three of its values (leaves and branches alike) replaced or taken away. */
export function brokenJson(sample: unknown): fc.Arbitrary<unknown> {
  const change = fc.record({ at: fraction, value: hostileValue, remove: fc.boolean() })
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let root: unknown = structuredClone(sample)
    for (const { at, value, remove } of changes) {
      const places = placesOf(root)
      const place = places[Math.floor(at * (places.length + 1)) - 1]
      // Each place gets its own: a later change must not reach into a shared one.
      const own: unknown = structuredClone(value)
      if (place === undefined) root = own
      else if (remove) Reflect.deleteProperty(place.holder, place.name)
      else Reflect.set(place.holder, place.name, own)
    }
    return root
  })
}

function placesOf(value: unknown): { readonly holder: object; readonly name: string }[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) => [{ holder: value, name }, ...placesOf(each)])
}

/** PEM of the sample with bytes of its DER changed: any byte, or the length of one of its elements. */
export function brokenPem(samples: readonly string[]): fc.Arbitrary<string> {
  const change = fc.record({ at: fraction, byte: fc.integer({ min: 0, max: 255 }), isLength: fc.boolean() })
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 3 }), fraction, fc.boolean())
    .map(([pem, changes, keep, isCut]) => {
      const [, label = '', body = ''] = /-----BEGIN ([^-]+)-----([^-]+)-----END/.exec(pem) ?? []
      const der = Buffer.from(body, 'base64')
      const lengths = elementsOf(der)
      for (const { at, byte, isLength } of changes) {
        const position = isLength ? lengths[Math.floor(at * lengths.length)] : Math.floor(at * der.length)
        if (position !== undefined && position < der.length) der[position] = byte
      }
      const kept = isCut ? der.subarray(0, Math.floor(keep * der.length)) : der
      return `-----BEGIN ${label}-----\n${kept.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END ${label}-----\n`
    })
}

/** Positions of the length bytes of all elements that are reached by stepping into constructed ones. */
function elementsOf(der: Buffer): number[] {
  const found: number[] = []
  for (let at = 0; at + 1 < der.length; ) {
    const [tag = 0, length = 0] = [der[at], der[at + 1]]
    found.push(at + 1)
    const header = length < 0x80 ? 2 : 2 + (length & 0x7f)
    // Into a constructed element, over a primitive one.
    at += (tag & 0x20) === 0 ? header + (length < 0x80 ? length : 0) : header
  }
  return found
}

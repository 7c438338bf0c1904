/**
 * Owns the common name of a certificate, read from its DER: Node's own way to a subject's parts (`toLegacyObject`) ends the
 * process if the public key cannot be decoded. It is as strict as Go's crypto/x509, by which etcd takes the name.
 * @see https://github.com/golang/go/blob/master/src/crypto/x509/parser.go (parseASN1String)
 */

const sequence = 0x30
const set = 0x31
const objectId = 0x06
/** `[0]`: the version, which certificates of version 1 leave out. */
const version = 0xa0

/** id-at-commonName, 2.5.4.3. */
const commonNameId = Buffer.from([0x55, 0x04, 0x03])

/** The one common name, as its exact characters; undefined if there is none or more than one, or none that Go would read. */
export function commonNameOfDer(certificate: Uint8Array): string | undefined {
  try {
    const names = attributesOf(certificate).filter(([id]) => commonNameId.equals(id.content))
    const [, value] = names.length === 1 ? (names[0] ?? []) : []
    return value && readString(value)
  } catch {
    return undefined // Not DER, or not text.
  }
}

/** Types and values of the subject, those of a multi-valued name one by one. */
function attributesOf(certificate: Uint8Array): [id: Element, value: Element][] {
  const [whole] = elementsIn(certificate)
  const [content] = elementsIn(expect(whole, sequence).content)
  const fields = elementsIn(expect(content, sequence).content)
  // RFC 5280, 4.1: version, serial number, algorithm, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === version ? 5 : 4]
  return elementsIn(expect(subject, sequence).content)
    .flatMap((name) => elementsIn(expect(name, set).content))
    .map((attribute) => {
      const [id, value] = elementsIn(expect(attribute, sequence).content)
      if (value === undefined) throw new RangeError('an attribute has no value')
      return [expect(id, objectId), value]
    })
}

interface Element {
  readonly tag: number
  readonly content: Buffer
}

function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new RangeError(`tag ${element?.tag ?? 'none'} stands where ${tag} is wanted`)
  return element
}

/** The values that stand one after the other: tag of one byte, length in the definite form (X.690, 8.1.3). */
function elementsIn(bytes: Uint8Array): Element[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const elements: Element[] = []
  for (let at = 0; at < buffer.length; ) {
    const short = buffer.readUInt8(at + 1)
    const count = short < 0x80 ? 0 : short & 0x7f
    const length = short < 0x80 ? short : buffer.readUIntBE(at + 2, count)
    const start = at + 2 + count
    if (start + length > buffer.length) throw new RangeError('a value ends too soon')
    elements.push({ tag: buffer.readUInt8(at), content: buffer.subarray(start, start + length) })
    at = start + length
  }
  return elements
}

/** @throws if the bytes are not of the type, or Go takes no name of this type */
function readString({ tag, content }: Element): string {
  switch (tag) {
    case 0x0c: // UTF8String
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    case 0x12: // NumericString
      return matching(content.toString('latin1'), /^[0-9 ]*$/)
    case 0x13: // PrintableString, with the two more characters that CAs use
      return matching(content.toString('latin1'), /^[A-Za-z0-9 '()+,\-./:=?*&]*$/)
    case 0x14: // T61String, taken for Latin-1
      return content.toString('latin1')
    case 0x16: // IA5String
      // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
      return matching(content.toString('latin1'), /^[\0-\x7f]*$/)
    case 0x1e: // BMPString: UCS-2, which has no surrogates
      return matching(Buffer.from(content).swap16().toString('utf16le'), /^[^\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]*$/)
    default:
      throw new RangeError(`tag ${tag} is no string`)
  }
}

function matching(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw new RangeError('characters that the type does not have')
  return text
}

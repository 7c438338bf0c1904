/** Owns what is done to a file that the agent reads, and to an answer that it gets: bits, pieces and whole things changed. */
import { withDamagedDate, withDamagedKey, withDamagedSecret, withUnknownAlgorithm } from '../../support/damaged.ts'
import { brokenJson, brokenPem, brokenText } from '../mutations.ts'
import type { Dice } from './dice.ts'

/** An HTTP answer, whole. */
export interface HttpAnswer {
  readonly status: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** @param others what it may be exchanged for */
export function damageText(text: string, others: readonly string[], dice: Dice): Buffer {
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0]
  const kinds: (() => string | Buffer)[] = [
    () => flipBits(Buffer.from(text), dice),
    () => dice.sample(brokenText([text])),
    () => dice.of(others),
    () => text.slice(0, dice.below(text.length + 1)),
    () => text.repeat(2 + dice.below(3)),
    () => swapPieces(text, dice),
    () => dice.of(['', '\n', '\0', '{}', 'null', '-----BEGIN CERTIFICATE-----', 'x'.repeat(2 * 1024 * 1024)]),
  ]
  if (text.includes('-----BEGIN')) kinds.push(...Array<() => string>(5).fill(() => dice.sample(brokenPem([text]))))
  if (certificate !== undefined) {
    const damaged = (): string => dice.of([withDamagedKey, withUnknownAlgorithm, withDamagedDate])(certificate)
    kinds.push(...Array<() => string>(3).fill(() => text.replace(certificate, damaged())))
    kinds.push(
      () => text + damaged(),
      () => damaged() + text,
    )
  }
  if (text.includes('PRIVATE KEY')) kinds.push(() => withDamagedSecret(text))
  return Buffer.from(dice.of(kinds)())
}

/** The bytes of an answer with something wrong in them. */
export function damageAnswer(answer: HttpAnswer, dice: Dice): Buffer {
  const kinds: (() => Buffer)[] = [
    () => flipBits(bytesOf(answer), dice),
    () => Buffer.from(dice.sample(brokenText([bytesOf(answer).toString()]))),
    () => bytesOf(answer).subarray(0, dice.below(bytesOf(answer).length)),
    () => bytesOf({ ...answer, status: dice.of(nastyStatus) }),
    () => bytesOf({ ...answer, headers: { ...answer.headers, ...headerOf(dice) } }),
    () => bytesOf({ ...answer, status: dice.of(nastyStatus), headers: { ...answer.headers, ...headerOf(dice) } }),
    () => bytesOf({ ...answer, body: dice.sample(brokenJson(answer.body)) }),
    () => bytesOf({ ...answer, body: dice.sample(brokenJson(answer.body)) }),
    () => bytesOf({ ...answer, body: dice.sample(brokenText([JSON.stringify(answer.body)])) }),
    () => bytesOf({ ...answer, body: damagePem(answer.body, dice) }),
    () => bytesOf({ ...answer, body: damagePem(answer.body, dice) }),
  ]
  return dice.of(kinds)()
}

export function bytesOf({ status, headers, body }: HttpAnswer): Buffer {
  const text = Buffer.from(typeof body === 'string' ? body : (JSON.stringify(body) ?? ''))
  const lines = Object.entries({ 'Content-Length': String(text.length), ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'), text])
}

const nastyStatus = [
  '000 Nothing',
  '099 Odd',
  '100 Continue',
  '101 Switching Protocols',
  '199 Odd',
  '204 No Content',
  '206 Partial Content',
  '299 Odd',
  '301 Moved',
  '302 Found',
  '304 Not Modified',
  '307 Temporary Redirect',
  '400 Bad Request',
  '403 Forbidden',
  '404 Not Found',
  '405 No',
  '412 No',
  '429 Too Many Requests',
  '472 No',
  '500 Oops',
  '501 No',
  '502 Bad Gateway',
  '503 No',
  '599 Odd',
  '600 Odd',
  '999 Odd',
  '1000 Odd',
  '-1 Odd',
  '2OO OK',
  '',
] as const

const nastyDates = [
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Sat, 13 Sep 275760 00:00:00 GMT',
  'Sat, 12 Sep 275760 23:59:59 GMT',
  'Fri, 31 Dec 9999 23:59:59 GMT',
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Mon Tue Wed',
  'Sat, 21 Nov 2026',
  '-1',
  '0',
  '1e999',
  '',
] as const

function headerOf(dice: Dice): Record<string, string> {
  return dice.of<Record<string, string>>([
    { Date: dice.of(nastyDates) },
    { Date: dice.of(nastyDates) },
    { 'Retry-After': dice.of(['0', '-1', '1e9', '99999999999999999999', 'soon', '1'.repeat(400), ...nastyDates]) },
    {
      Location: dice.of([
        '/',
        '//',
        'http://',
        'http://[',
        '/v1/../../x',
        '\u00ff',
        'javascript:1',
        '?x',
        ' ',
        '/v1/%00',
      ]),
    },
    { 'Content-Length': dice.of(['0', '1', '-1', '99999999', '1e3', 'x', '1, 1', '9'.repeat(40)]) },
    { 'Transfer-Encoding': dice.of(['chunked', 'gzip', 'identity', 'chunked, chunked', '']) },
    { 'Content-Encoding': dice.of(['gzip', 'br', 'x']) },
    { Connection: dice.of(['close', 'upgrade', 'keep-alive, close']) },
    { 'Keep-Alive': dice.of(['timeout=0', 'timeout=-1', 'timeout=1e99', 'timeout=x']) },
    { 'X-Vault-Inline-Auth-Failed': 'true' },
    { 'Set-Cookie': 'x'.repeat(20_000) },
    { 'bad header': 'x' },
    { '': 'x' },
  ])
}

/** The body with one of the certificates in it damaged as a file's would be. */
function damagePem(body: unknown, dice: Dice): unknown {
  const root: unknown = structuredClone(body)
  const places: { readonly holder: object; readonly name: string; readonly text: string }[] = []
  const walk = (holder: unknown): void => {
    if (typeof holder !== 'object' || holder === null) return
    for (const [name, value] of Object.entries(holder)) {
      if (typeof value === 'string' && value.includes('-----BEGIN')) places.push({ holder, name, text: value })
      else walk(value)
    }
  }
  walk(root)
  if (places.length === 0) return dice.sample(brokenJson(body))
  const { holder, name, text } = dice.of(places)
  Reflect.set(
    holder,
    name,
    damageText(
      text,
      places.map((each) => each.text),
      dice,
    ).toString(),
  )
  return root
}

function flipBits(bytes: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(bytes)
  for (let left = dice.of([1, 1, 1, 2, 8]); left > 0 && copy.length > 0; left--) {
    const at = dice.below(copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8))
  }
  return copy
}

function swapPieces(text: string, dice: Dice): string {
  const [a = 0, b = 0, c = 0] = [0, 0, 0].map(() => dice.below(text.length + 1)).toSorted((one, other) => one - other)
  return text.slice(0, a) + text.slice(b, c) + text.slice(a, b) + text.slice(c)
}

/** Owns reading the fields of a request as loosely as Vault does: numbers or strings, lists or comma-separated text, Go durations. */
import { refusal } from './failure.ts'
import type { Fields } from './logical.ts'

export function has(data: Fields, name: string): boolean {
  return data[name] !== undefined && data[name] !== null
}

export function textField(data: Fields, name: string, fallback = ''): string {
  const value = data[name]
  if (value === undefined || value === null) return fallback
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw refusal(`Field validation failed: error converting input for field "${name}": '${name}' expected type 'string'`)
}

export function flagField(data: Fields, name: string, fallback = false): boolean {
  const value = data[name]
  if (value === undefined || value === null) return fallback
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === '1' || value === 1) return true
  if (value === 'false' || value === '0' || value === 0) return false
  throw refusal(`Field validation failed: error converting input for field "${name}": cannot parse '' as bool`)
}

export function numberField(data: Fields, name: string, fallback = 0): number {
  const value = Number(data[name] ?? fallback)
  if (Number.isInteger(value)) return value
  throw refusal(`Field validation failed: error converting input for field "${name}": cannot parse '' as int`)
}

export function listField(data: Fields, name: string, fallback: readonly string[] = []): string[] {
  const value = data[name]
  if (value === undefined || value === null) return [...fallback]
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === 'string') return value === '' ? [] : value.split(',').map((each) => each.trim())
  throw refusal(`Field validation failed: error converting input for field "${name}": expected a list`)
}

/** Objects of text, as `claim_mappings`. */
export function mapField(data: Fields, name: string): Record<string, unknown> {
  const value = data[name]
  if (value === undefined || value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return { ...value }
  throw refusal(`Field validation failed: error converting input for field "${name}": expected a map`)
}

/** Seconds. Negative ones are refused unless `allowNegative`, as in Vault's `TypeDurationSecond` and `TypeSignedDurationSecond`. */
export function durationField(data: Fields, name: string, fallback = 0, allowNegative = false): number {
  const value = textField(data, name)
  if (value === '') return fallback
  const seconds = parseGoDuration(value)
  if (seconds === undefined) {
    const text = `strconv.ParseInt: parsing "${value}": invalid syntax`
    throw refusal(`Field validation failed: error converting input for field "${name}": ${text}`)
  }
  if (seconds < 0 && !allowNegative) {
    throw refusal(
      `Field validation failed: error converting input for field "${name}": cannot provide negative value '${seconds}'`,
    )
  }
  return Math.trunc(seconds)
}

const unitSeconds: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1, ms: 0.001, us: 1e-6, ns: 1e-9 }

/** `90`, `90s`, `1h30m`, `-1s`; undefined for anything else. */
function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?\d+$/.test(text)) return Number(text)
  const match = /^([+-]?)((?:\d+(?:\.\d+)?(?:d|h|ms|us|ns|m|s))+)$/.exec(text)
  if (match === null) return undefined
  let seconds = 0
  for (const [, count, unit] of (match[2] ?? '').matchAll(/(\d+(?:\.\d+)?)(d|h|ms|us|ns|m|s)/g)) {
    seconds += Number(count) * (unitSeconds[unit ?? ''] ?? 0)
  }
  return match[1] === '-' ? -seconds : seconds
}

/** As Go prints a Duration of whole seconds: `24h0m0s`, `1m30s`, `5s`. */
export function formatGoDuration(seconds: number): string {
  const hours = Math.trunc(seconds / 3600)
  const minutes = Math.trunc((seconds % 3600) / 60)
  const rest = seconds % 60
  if (hours !== 0) return `${hours}h${minutes}m${rest}s`
  return minutes === 0 ? `${rest}s` : `${minutes}m${rest}s`
}

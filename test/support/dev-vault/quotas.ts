/**
 * Owns rate limit quotas: at most `rate` requests of one client address in each interval, under a path. The most specific quota
 * counts. Rate headers and Retry-After are off unless switched on, as in Vault.
 */

export interface QuotaRule {
  readonly name: string
  /** Empty: everything. With a trailing slash: a mount. */
  readonly path: string
  readonly rate: number
  readonly intervalSeconds: number
}

export interface QuotaDecision {
  readonly isAllowed: boolean
  readonly headers: Readonly<Record<string, string>>
}

export interface Quotas {
  readonly rules: Map<string, QuotaRule>
  hasHeaders: boolean
  decide(path: string, client: string): QuotaDecision
}

interface Window {
  readonly endsAtMs: number
  used: number
}

/** Never limited in a default configuration. */
const exempt = [/^sys\/(generate-root|health|seal-status|unseal)(\/|$)/]

export function createQuotas(now: () => number): Quotas {
  const rules = new Map<string, QuotaRule>()
  const windows = new Map<string, Window>()
  const quotas: Quotas = {
    rules,
    hasHeaders: false,
    decide(path, client) {
      const rule = exempt.some((each) => each.test(path)) ? undefined : mostSpecific(rules, path)
      if (rule === undefined) return { isAllowed: true, headers: {} }
      const key = `${rule.name}\n${client}`
      let window = windows.get(key)
      if (window === undefined || window.endsAtMs <= now()) {
        window = { endsAtMs: now() + rule.intervalSeconds * 1000, used: 0 }
        windows.set(key, window)
      }
      const isAllowed = window.used < rule.rate
      if (isAllowed) window.used += 1
      return { isAllowed, headers: quotas.hasHeaders ? headersOf(rule, window, isAllowed, now()) : {} }
    },
  }
  return quotas
}

function mostSpecific(rules: ReadonlyMap<string, QuotaRule>, path: string): QuotaRule | undefined {
  return [...rules.values()]
    .filter((rule) => rule.path === '' || rule.path === path || (rule.path.endsWith('/') && path.startsWith(rule.path)))
    .toSorted((a, b) => b.path.length - a.path.length)[0]
}

function headersOf(rule: QuotaRule, window: Window, isAllowed: boolean, nowMs: number): Record<string, string> {
  const resetSeconds = String(Math.ceil((window.endsAtMs - nowMs) / 1000))
  return {
    'X-Ratelimit-Limit': String(rule.rate),
    'X-Ratelimit-Remaining': String(Math.max(0, rule.rate - window.used)),
    'X-Ratelimit-Reset': resetSeconds,
    ...(isAllowed ? {} : { 'Retry-After': resetSeconds }),
  }
}

/**
 * Owns ACL policies: parsing them (HCL or its JSON form) and deciding about a request, by exact path, glob, `+` segments and by
 * required, allowed and denied parameters.
 * @see https://github.com/hashicorp/vault/blob/v1.13.1/vault/acl.go
 */
import { refusal } from './failure.ts'
import type { LogicalRequest } from './logical.ts'
import { parsePolicyHcl } from './policy-hcl.ts'

export interface PathRule {
  readonly path: string
  readonly capabilities: readonly string[]
  readonly required: readonly string[]
  /** Empty: any. An empty list of values: any value. */
  readonly allowed: Readonly<Record<string, readonly unknown[]>>
  readonly denied: Readonly<Record<string, readonly unknown[]>>
}

/** The paths of Vault's own `default` policy that a client may meet. */
export const defaultPolicy = JSON.stringify({
  path: {
    'auth/token/lookup-self': { capabilities: ['read'] },
    'auth/token/renew-self': { capabilities: ['update'] },
    'auth/token/revoke-self': { capabilities: ['update'] },
    'sys/capabilities-self': { capabilities: ['update'] },
  },
})

const knownCapabilities = new Set(['create', 'read', 'update', 'delete', 'list', 'sudo', 'deny', 'patch', 'subscribe'])

export function parsePolicy(text: string): PathRule[] {
  const paths = readPaths(text)
  return Object.entries(paths).map(([path, rule]) => {
    const { capabilities = [], required_parameters = [], allowed_parameters = {}, denied_parameters = {} } = rule
    for (const capability of capabilities) {
      if (!knownCapabilities.has(capability)) {
        throw refusal(`failed to parse policy: path "${path}": invalid capability "${capability}"`)
      }
    }
    return {
      path: path.replace(/^\//, ''),
      capabilities,
      required: required_parameters,
      allowed: lowerCaseKeys(allowed_parameters),
      denied: lowerCaseKeys(denied_parameters),
    }
  })
}

interface RawRule {
  readonly capabilities?: string[]
  readonly required_parameters?: string[]
  readonly allowed_parameters?: Record<string, unknown[]>
  readonly denied_parameters?: Record<string, unknown[]>
}

function readPaths(text: string): Record<string, RawRule> {
  const parsed = text.trimStart().startsWith('{') ? (JSON.parse(text) as object) : parsePolicyHcl(text)
  return (parsed as { path?: Record<string, RawRule> }).path ?? {}
}

/** Rules of all policies of a token, templates already filled in. */
export function isAllowed(rules: readonly PathRule[], request: LogicalRequest): boolean {
  const path = request.path
  const exact = rules.filter((rule) => !isPattern(rule.path) && isSamePath(rule.path, path, request.operation))
  if (exact.length > 0) return isPermitted(exact, request)
  const matching = rules.filter((rule) => isPattern(rule.path) && matchesPattern(rule.path, path))
  const best = matching.toSorted((a, b) => comparePriority(b.path, a.path))[0]
  // The same path in several policies counts as one rule with all their capabilities.
  return (
    best !== undefined &&
    isPermitted(
      matching.filter((rule) => rule.path === best.path),
      request,
    )
  )
}

function isSamePath(rule: string, path: string, operation: string): boolean {
  return rule === path || (operation === 'list' && rule === path.replace(/\/$/, ''))
}

function isPattern(path: string): boolean {
  return path.endsWith('*') || path.split('/').includes('+')
}

function matchesPattern(pattern: string, path: string): boolean {
  const isPrefix = pattern.endsWith('*')
  const wanted = (isPrefix ? pattern.slice(0, -1) : pattern).split('/')
  const given = path.split('/')
  if (given.length < wanted.length || (!isPrefix && given.length !== wanted.length)) return false
  return wanted.every((part, index) => {
    const segment = given[index] ?? ''
    const isLast = index === wanted.length - 1
    return part === '+' || part === segment || (isPrefix && isLast && segment.startsWith(part))
  })
}

/** Which of two matching patterns Vault prefers: the one whose first wildcard comes later, and so on. */
function comparePriority(a: string, b: string): number {
  const rank = (path: string): number[] => {
    const wildcards = path.split('/').filter((part) => part === '+').length
    return [path.search(/\+|\*$/), path.endsWith('*') ? 0 : 1, -wildcards, path.length]
  }
  const left = rank(a)
  const right = rank(b)
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return a < b ? -1 : 1
}

function isPermitted(rules: readonly PathRule[], { operation, data }: LogicalRequest): boolean {
  const capabilities = new Set(rules.flatMap((rule) => rule.capabilities))
  if (capabilities.has('deny') || !capabilities.has(operation)) return false
  if (operation === 'list' || operation === 'delete') return true
  const names = Object.keys(data)
  if (rules.some((rule) => rule.required.some((name) => !(name.toLowerCase() in data)))) return false
  if (names.length === 0) return true
  const denied = merge(rules.map((rule) => rule.denied))
  if ('*' in denied || names.some((name) => isListed(denied, name, data[name]) === true)) return false
  const allowed = merge(rules.map((rule) => rule.allowed))
  if (Object.keys(allowed).length === 0) return true
  return names.every((name) => isListed(allowed, name, data[name]) ?? '*' in allowed)
}

/** undefined: the parameter is not named. */
function isListed(
  parameters: Readonly<Record<string, readonly unknown[]>>,
  name: string,
  value: unknown,
): boolean | undefined {
  const values = parameters[name.toLowerCase()]
  if (values === undefined) return undefined
  if (values.length === 0) return true
  return values.some((each) =>
    typeof each === 'string' && typeof value === 'string' && each.includes('*')
      ? matchesGlob(each, value)
      : each === value,
  )
}

/** ryanuber/go-glob: `*` is any text, everything else is literal. */
export function matchesGlob(pattern: string, text: string): boolean {
  const source = pattern.split('*').map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`))
  return new RegExp(`^${source.join('[^]*')}$`, 'u').test(text)
}

function merge(maps: readonly Readonly<Record<string, readonly unknown[]>>[]): Record<string, readonly unknown[]> {
  return Object.assign({}, ...maps) as Record<string, readonly unknown[]>
}

function lowerCaseKeys(map: Readonly<Record<string, unknown[]>>): Record<string, unknown[]> {
  return Object.fromEntries(Object.entries(map).map(([name, values]) => [name.toLowerCase(), values]))
}

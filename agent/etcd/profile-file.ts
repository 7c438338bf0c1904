/**
 * Owns the file of `--profiles`: user-defined components in YAML or JSON, checked to the last field, every problem with its
 * line and column. JSON is read as the YAML that it is.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { parseCalicoVersion } from '../config/calico-version.ts'
import type { Access } from './grants.ts'
import type { Profile, Row, Scope } from './profile-table.ts'
import { keysProblem } from './profiles.ts'

export interface ProfileFile {
  readonly profiles: Readonly<Record<string, Profile>>
  /** `line:column what is wrong`, in the order of the file. */
  readonly problems: readonly string[]
}

/** Component names become common names and role names. No colon: that separates the node. */
const namePattern = /^[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?$/
const accessNames: readonly Access[] = ['read', 'write', 'readwrite']
const scopeNames: readonly Scope[] = ['cluster', 'node']

export function parseProfiles(text: string): ProfileFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const found: [offset: number, problem: string][] = []
  const problem = (at: Node | undefined | null, what: string): undefined => {
    found.push([at?.range?.[0] ?? 0, what])
    return undefined
  }
  for (const { pos, message } of document.errors) found.push([pos[0], message])
  const profiles: Record<string, Profile> = {}
  if (document.errors.length === 0) {
    const top = readMap(document.contents, 'the file', ['profiles'], problem)
    const list = top?.get('profiles')
    if (top !== undefined && list === undefined) problem(document.contents, 'has no profiles')
    if (list !== undefined) {
      for (const [name, { key, value }] of readMap(list, 'profiles', undefined, problem, true) ?? []) {
        if (name === 'root') problem(key, 'root is the administrator of etcd, and cannot be a profile')
        if (!namePattern.test(name)) {
          problem(
            key,
            `the name of a profile is ${JSON.stringify(name)}; use letters, digits, '-', '.' and '_' (at most 63)`,
          )
        }
        const profile = readProfile(name, value, problem)
        if (profile !== undefined) profiles[name] = profile
      }
    }
  }
  const problems = found
    .toSorted(([a], [b]) => a - b)
    .map(([offset, what]) => {
      const { line, col } = lines.linePos(offset)
      return `${line}:${col} ${what}`
    })
  return { profiles, problems }
}

type Problem = (at: Node | undefined | null, what: string) => undefined

interface Entry {
  readonly key: Node
  readonly value: Node
}

function readProfile(name: string, node: Node, problem: Problem): Profile | undefined {
  const fields = readMap(node, `profile ${name}`, ['scope', 'about', 'ranges'], problem)
  if (fields === undefined) return undefined
  const scope = readChoice(fields.get('scope'), 'scope', scopeNames, problem) ?? 'cluster'
  const about = readText(fields.get('about'), 'about', problem) ?? ''
  const ranges = fields.get('ranges')
  if (ranges === undefined) return problem(node, `profile ${name} has no ranges`)
  if (!isSeq<Node>(ranges)) return problem(ranges, 'ranges must be a list')
  if (ranges.items.length === 0) problem(ranges, `profile ${name} has no ranges`)
  const rows = ranges.items.map((item) => readRow(item, scope, problem)).filter((row) => row !== undefined)
  return { scope, about, rows }
}

function readRow(node: Node, scope: Scope, problem: Problem): Row | undefined {
  const fields = readMap(node, 'a range', ['access', 'keys', 'since', 'until'], problem)
  if (fields === undefined) return undefined
  const access = readChoice(fields.get('access'), 'access', accessNames, problem)
  const keys = readText(fields.get('keys'), 'keys', problem)
  for (const required of ['access', 'keys'] as const) {
    if (!fields.has(required)) problem(node, `a range needs ${required}`)
  }
  const wrong = keys === undefined ? undefined : keysProblem(keys, scope)
  if (wrong !== undefined) problem(fields.get('keys'), `keys ${JSON.stringify(keys)} ${wrong}`)
  const since = readVersion(fields.get('since'), 'since', problem)
  const until = readVersion(fields.get('until'), 'until', problem)
  if (access === undefined || keys === undefined) return undefined
  return {
    access,
    keys,
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    // Rows of one node mean nothing in the naming by component.
    ...(keys.includes('{node}') && { naming: 'node' as const }),
    source: 'your profile file',
  }
}

function readMap(
  node: Node | null,
  what: string,
  known: readonly string[] | undefined,
  problem: Problem,
): Map<string, Node> | undefined
function readMap(
  node: Node | null,
  what: string,
  known: undefined,
  problem: Problem,
  entries: true,
): Map<string, Entry> | undefined
function readMap(
  node: Node | null,
  what: string,
  known: readonly string[] | undefined,
  problem: Problem,
  entries = false,
): Map<string, Node | Entry> | undefined {
  if (!isMap(node)) return problem(node, `${what} must be a map of ${known?.join(', ') ?? 'names'}`)
  const fields = new Map<string, Node | Entry>()
  for (const pair of (node as YAMLMap<Node, Node | null>).items) {
    if (!isPair(pair) || !isScalar(pair.key)) {
      problem(pair.key, `${what} must have plain names`)
      continue
    }
    const name = String(pair.key.value)
    if (known !== undefined && !known.includes(name)) {
      problem(pair.key, `${what} has no ${JSON.stringify(name)}; it has ${known.join(', ')}`)
    } else if (pair.value === null) {
      problem(pair.key, `${name} has no value`)
    } else {
      fields.set(name, entries ? { key: pair.key, value: pair.value } : pair.value)
    }
  }
  return fields
}

function readText(node: Node | undefined, name: string, problem: Problem): string | undefined {
  if (node === undefined) return undefined
  if (isScalar(node) && typeof node.value === 'string') return node.value
  return problem(node, `${name} must be a text`)
}

function readChoice<const T extends string>(
  node: Node | undefined,
  name: string,
  choices: readonly T[],
  problem: Problem,
): T | undefined {
  if (node === undefined) return undefined
  const value = isScalar(node) ? node.value : undefined
  const choice = choices.find((each) => each === value)
  return choice ?? problem(node, `${name} must be one of ${choices.join(', ')}`)
}

/** `3.30` without quotes is the number 3.3: only a text says which version is meant. */
function readVersion(node: Node | undefined, name: string, problem: Problem): string | undefined {
  if (node === undefined) return undefined
  const text = isScalar(node) && typeof node.value === 'string' ? node.value : undefined
  if (text !== undefined && parseCalicoVersion(text) !== undefined) return text
  return problem(node, `${name} must be a quoted version such as "v3.30"`)
}

/**
 * Owns the file of `--profiles`: user-defined components in YAML or JSON, checked to the last field, every problem with its
 * line and column. JSON is read as the YAML that it is.
 */
import { isScalar, isSeq, type Node } from 'yaml'
import { parseCalicoVersion } from '../../config/calico-version.ts'
import { type Problem, parseYaml, readChoice, readEntries, readMap, readText } from '../../config/yaml.ts'
import type { Access } from './grants.ts'
import type { Profile, Row, Scope } from './profile-table.ts'

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
  const { value: profiles = {}, problems } = parseYaml(text, readProfiles)
  return { profiles, problems }
}

function readProfiles(top: Node | null, problem: Problem): Record<string, Profile> {
  const profiles: Record<string, Profile> = {}
  const fields = readMap(top, 'the file', ['profiles'], problem)
  const list = fields?.get('profiles')
  if (fields !== undefined && list === undefined) problem(top, 'has no profiles')
  if (list === undefined) return profiles
  for (const [name, { key, value }] of readEntries(list, 'profiles', problem) ?? []) {
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
  return profiles
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
    because: 'your profile file',
  }
}

/** `3.30` without quotes is the number 3.3: only a text says which version is meant. */
function readVersion(node: Node | undefined, name: string, problem: Problem): string | undefined {
  if (node === undefined) return undefined
  const text = isScalar(node) && typeof node.value === 'string' ? node.value : undefined
  if (text !== undefined && parseCalicoVersion(text) !== undefined) return text
  return problem(node, `${name} must be a quoted version such as "v3.30"`)
}

/** What is wrong with the keys of a row, as the rest of a sentence; undefined if nothing is. */
export function keysProblem(keys: string, scope: Profile['scope']): string | undefined {
  if (!keys.startsWith('/') && !/^[a-z]/.test(keys)) return 'must start with a slash or a letter'
  if (!/^[\x21-\x7e]+$/.test(keys)) return 'must be printable ASCII without spaces'
  if (keys.slice(0, -1).includes('*')) return 'may have a star only at its end'
  // The name of a node may go on after a dot.
  if (keys.endsWith('*') && !/(\/|[^}]\.)\*$/.test(keys))
    return 'must end with /* (or .*, but after {node}) to mean a prefix: a bare * also matches longer names'
  const holes = keys.match(/\{[^}]*\}?|\}/g) ?? []
  if (holes.some((hole) => hole !== '{node}')) return 'knows no other placeholder than {node}'
  if (holes.length > 0 && scope === 'cluster') return 'uses {node}, which only a profile of scope node has'
  return undefined
}

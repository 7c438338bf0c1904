/**
 * Owns reading a configuration file in YAML (or JSON, which is YAML): every problem is collected with its line and column,
 * none stops the reading, and a name that nobody knows is refused with a suggestion.
 */
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { suggestName } from '../core/text.ts'

/** Collects a problem of a place in the file. */
export type Problem = (at: Node | undefined | null, what: string) => undefined

export interface Entry {
  readonly key: Node
  readonly value: Node
}

export interface YamlFile<Value> {
  /** Undefined if the text is no YAML at all. */
  readonly value: Value | undefined
  /** `line:column what is wrong`, in the order of the file. */
  readonly problems: readonly string[]
}

export function parseYaml<Value>(
  text: string,
  read: (top: Node | null, problem: Problem) => Value | undefined,
): YamlFile<Value> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const found: [offset: number, problem: string][] = document.errors.map(({ pos, message }) => [pos[0], message])
  const problem: Problem = (at, what) => {
    found.push([at?.range?.[0] ?? 0, what])
    return undefined
  }
  const value = found.length === 0 ? read(document.contents, problem) : undefined
  const problems = found
    .toSorted(([a], [b]) => a - b)
    .map(([offset, what]) => {
      const { line, col } = lines.linePos(offset)
      return `${line}:${col} ${what}`
    })
  return { value, problems }
}

/** A map whose names are known. */
export function readMap(
  node: Node | null | undefined,
  what: string,
  known: readonly string[],
  problem: Problem,
): Map<string, Node> | undefined {
  const entries = readEntries(node, what, problem, known)
  return entries && new Map([...entries].map(([name, { value }]) => [name, value]))
}

/** A map whose names are free, if `known` is not given. */
export function readEntries(
  node: Node | null | undefined,
  what: string,
  problem: Problem,
  known?: readonly string[],
): Map<string, Entry> | undefined {
  if (!isMap(node)) return problem(node, `${what} must be a map of ${known?.join(', ') ?? 'names'}`)
  const fields = new Map<string, Entry>()
  for (const pair of (node as YAMLMap<Node, Node | null>).items) {
    if (!isPair(pair) || !isScalar(pair.key)) {
      problem(pair.key, `${what} must have plain names`)
      continue
    }
    const name = String(pair.key.value)
    if (known !== undefined && !known.includes(name)) {
      const suggestion = suggestName(name, known)
      const hint = suggestion === undefined ? `it has ${known.join(', ')}` : `did you mean ${suggestion}?`
      problem(pair.key, `${what} has no ${JSON.stringify(name)}; ${hint}`)
    } else if (pair.value === null) {
      problem(pair.key, `${name} has no value`)
    } else {
      fields.set(name, { key: pair.key, value: pair.value })
    }
  }
  return fields
}

export function readText(node: Node | undefined, name: string, problem: Problem): string | undefined {
  if (node === undefined) return undefined
  if (isScalar(node) && typeof node.value === 'string') return node.value
  return problem(node, `${name} must be a text`)
}

export function readTexts(node: Node | undefined, name: string, problem: Problem): string[] | undefined {
  if (node === undefined) return undefined
  if (!isSeq<Node>(node)) return problem(node, `${name} must be a list`)
  return node.items.map((item) => readText(item, `each of ${name}`, problem)).filter((text) => text !== undefined)
}

export function readChoice<const T extends string>(
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

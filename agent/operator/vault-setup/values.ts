/** Owns the kinds of values that the parts of the file have in common: names, mounts, durations, URLs and files. */
import { isScalar, type Node } from 'yaml'
import { refusedPathProblem } from '../../config/reader.ts'
import { type Problem, readText } from '../../config/yaml.ts'
import { parseDuration } from '../../core/duration.ts'
import { FileRef } from './setup.ts'

/** Cluster and components become names of policies and roles, which Vault keeps in lower case. */
const namePattern = /^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$/

const maxTtlMs = 100 * 365 * 24 * 3_600_000

export function checkName(at: Node | undefined, what: string, name: string, problem: Problem): void {
  if (namePattern.test(name)) return
  problem(at, `${what} is ${JSON.stringify(name)}; use lower-case letters, digits, '-', '.' and '_' (at most 63)`)
}

export function readMount(node: Node | undefined, problem: Problem): string | undefined {
  const path = readText(node, 'mount', problem)
  const wrong = path === undefined ? undefined : refusedPathProblem(path)
  return wrong === undefined ? path : problem(node, `mount ${wrong}`)
}

/** Seconds. */
export function readTtl(node: Node | undefined, name: string, problem: Problem): number | undefined {
  if (node === undefined) return undefined
  const ms = isScalar(node) ? parseDuration(String(node.value)) : undefined
  if (ms !== undefined && ms >= 1000 && ms <= maxTtlMs) return Math.round(ms / 1000)
  return problem(node, `${name} must be a duration such as 24h, 15m or seconds`)
}

/** Without a slash at its end. */
export function readUrl(node: Node | undefined, name: string, problem: Problem): string | undefined {
  const text = readText(node, name, problem)
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' && url.username === '' && url.hash === '') return text.replace(/\/+$/, '')
  return problem(node, `${name} is ${JSON.stringify(text)}; it must be a URL such as https://10.0.0.1:6443`)
}

export function readFile(
  node: Node | undefined,
  name: string,
  problem: Problem,
  isSecret = false,
): FileRef | undefined {
  const text = readText(node, name, problem)
  if (text === '') return problem(node, `${name} is empty`)
  return text === undefined ? undefined : new FileRef(text, isSecret)
}

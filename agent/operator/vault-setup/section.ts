/** Owns reading one map of the file by the names of its fields. A field with a problem is reported, and reads as if it were not given. */
import { isScalar, type Node } from 'yaml'
import { refusedPathProblem } from '../../config/reader.ts'
import { type Problem, readChoice, readText, readTexts } from '../../config/yaml.ts'
import { parseDuration } from '../../core/duration.ts'
import { FileRef } from './setup.ts'

/** Cluster and components become names of policies and roles, which Vault keeps in lower case. */
const namePattern = /^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$/

const maxTtlMs = 100 * 365 * 24 * 3_600_000

export function checkName(at: Node | undefined, what: string, name: string, problem: Problem): void {
  if (namePattern.test(name)) return
  problem(at, `${what} is ${JSON.stringify(name)}; use lower-case letters, digits, '-', '.' and '_' (at most 63)`)
}

export type Section = ReturnType<typeof sectionOf>

/** @param fields undefined: there are none */
export function sectionOf(fields: ReadonlyMap<string, Node> | undefined, problem: Problem) {
  const at = (name: string): Node | undefined => fields?.get(name)
  const refuse = (name: string, why: string): undefined => problem(at(name), why)
  const text = (name: string): string | undefined => readText(at(name), name, problem)
  return {
    at,
    refuse,
    text,
    has: (name: string): boolean => at(name) !== undefined,
    texts: (name: string): string[] | undefined => readTexts(at(name), name, problem),
    choice: <const T extends string>(name: string, choices: readonly T[]): T | undefined =>
      readChoice(at(name), name, choices, problem),
    /** Refuses those that are given. */
    noEffect(names: readonly string[], why: string): void {
      for (const name of names) if (at(name) !== undefined) refuse(name, `${name} has no effect${why}`)
    },
    mount(): string | undefined {
      const path = text('mount')
      const wrong = path === undefined ? undefined : refusedPathProblem(path)
      return wrong === undefined ? path : refuse('mount', `mount ${wrong}`)
    },
    /** A duration, in seconds. */
    seconds(name: string): number | undefined {
      const node = at(name)
      if (node === undefined) return undefined
      const ms = isScalar(node) ? parseDuration(String(node.value)) : undefined
      if (ms !== undefined && ms >= 1000 && ms <= maxTtlMs) return Math.round(ms / 1000)
      return refuse(name, `${name} must be a duration such as 24h, 15m or seconds`)
    },
    /** Without a slash at its end. */
    url(name: string): string | undefined {
      const given = text(name)
      if (given === undefined) return undefined
      const url = URL.canParse(given) ? new URL(given) : undefined
      if (url?.protocol === 'https:' && url.username === '' && url.hash === '') return given.replace(/\/+$/, '')
      return refuse(name, `${name} is ${JSON.stringify(given)}; it must be a URL such as https://10.0.0.1:6443`)
    },
    file(name: string, kind: FileRef['kind'] = 'certificates'): FileRef | undefined {
      const given = text(name)
      if (given === '') return refuse(name, `${name} is empty`)
      return given === undefined ? undefined : new FileRef(given, kind)
    },
  }
}

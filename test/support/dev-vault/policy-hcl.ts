/** Owns reading a policy in HCL: blocks `path "…" { … }` with lists and maps of lists, and comments. No more of HCL is needed here. */
import { refusal } from './failure.ts'

type Value = string | Value[] | { [name: string]: Value }

/** The same as the JSON form of a policy. */
export function parsePolicyHcl(text: string): { path: Record<string, Value> } {
  const tokens =
    text.match(/#[^\n]*|"(?:[^"\\]|\\.)*"|[\w-]+|[{}[\]=,]|\S/g)?.filter((each) => !each.startsWith('#')) ?? []
  const path: Record<string, Value> = {}
  let at = 0
  const take = (wanted?: string): string => {
    const token = tokens[at++] ?? ''
    if (token === '' || (wanted !== undefined && token !== wanted)) throw refusal(`failed to parse policy: at ${token}`)
    return token
  }
  const nextText = (): string => {
    const token = take()
    return token.startsWith('"') ? (JSON.parse(token) as string) : token
  }
  const value = (): Value => {
    if (tokens[at] === '[') return list()
    return tokens[at] === '{' ? map() : nextText()
  }
  const list = (): Value[] => {
    const items: Value[] = []
    take('[')
    while (tokens[at] !== ']') {
      items.push(value())
      if (tokens[at] === ',') at++
    }
    take(']')
    return items
  }
  const map = (): { [name: string]: Value } => {
    const fields: { [name: string]: Value } = {}
    take('{')
    while (tokens[at] !== '}') {
      const name = nextText()
      take('=')
      fields[name] = value()
    }
    take('}')
    return fields
  }
  while (at < tokens.length) {
    take('path')
    path[nextText()] = map()
  }
  return { path }
}

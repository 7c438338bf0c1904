/** Owns writing HCL as Terraform reads it, aligned as `terraform fmt` does it. */

export type Body = Readonly<Record<string, unknown>>

/** Something that is not a literal: a reference, or a text that holds one. */
class Expression {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export function expression(text: string): Expression {
  return new Expression(text)
}

/** The content of a file beside the configuration. */
export function fileText(name: string): Expression {
  return expression(
    name.startsWith('/') ? `file(${literal(name)})` : `file("\${path.module}/${literal(name).slice(1)})`,
  )
}

export function block(type: string, labels: readonly string[], body: Body): string {
  const lines = attributes(body, '  ')
  return `${[type, ...labels.map(literal)].join(' ')} {\n${lines.join('\n')}\n}\n`
}

function attributes(body: Body, indent: string): string[] {
  const entries = Object.entries(body)
  const lines: string[] = []
  // Names are aligned within a run of attributes; a map over several lines is not in one.
  for (let from = 0; from < entries.length; ) {
    let to = from
    while (to < entries.length && !isLong(entries[to]?.[1])) to++
    const run = entries.slice(from, to)
    const width = Math.max(0, ...run.map(([name]) => nameOf(name).length))
    for (const [name, value] of run) lines.push(`${indent}${nameOf(name).padEnd(width)} = ${valueOf(value, indent)}`)
    const long = entries[to]
    if (long !== undefined) lines.push(`${indent}${nameOf(long[0])} = ${valueOf(long[1], indent)}`)
    from = to + 1
  }
  return lines
}

function valueOf(value: unknown, indent: string): string {
  if (value instanceof Expression) return value.text
  if (typeof value === 'string') return value.includes('\n') ? heredoc(value) : literal(value)
  if (Array.isArray(value)) return `[${value.map((each) => valueOf(each, indent)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const lines = attributes(value as Body, `${indent}  `)
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${indent}}`
}

function isLong(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Expression)
    ? Object.keys(value).length > 0
    : false
}

function nameOf(name: string): string {
  return /^[A-Za-z_][\w-]*$/.test(name) ? name : literal(name)
}

function heredoc(text: string): string {
  return `<<EOT\n${template(text).trimEnd()}\nEOT`
}

/** JSON's escapes are HCL's. */
function literal(text: string): string {
  return template(JSON.stringify(text))
}

function template(text: string): string {
  return text.replaceAll('${', '$${').replaceAll('%{', '%%{')
}

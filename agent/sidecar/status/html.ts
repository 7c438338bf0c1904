/** Owns HTML that cannot be injected into: whatever is put into the template is escaped, unless it is HTML itself. */
import { isoTime } from '../../core/clock.ts'

export interface Html {
  readonly text: string
}

/** Undefined is nothing. */
type Value = string | number | Html | readonly Html[] | undefined

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return { text: parts.map((part, index) => part + textOf(values[index])).join('') }
}

/** A text of our own that is put in as it is. */
export function escaped(text: string): Html {
  return { text }
}

/** A time, in UTC like the logs: a page that is read on another continent must not say anything else. */
export function moment(ms: number): Html {
  return html`<time datetime="${isoTime(ms)}">${isoTime(ms).slice(0, 19).replace('T', ' ')}</time>`
}

function textOf(value: Value): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return value.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  return 'text' in value ? value.text : value.map(({ text }) => text).join('\n')
}

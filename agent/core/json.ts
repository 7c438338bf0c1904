/** Narrows JSON that somebody else wrote, one field at a time: nothing is believed before it was looked at. */

export type JsonObject = Readonly<Record<string, unknown>>

/** The value as an object; undefined for anything else, a list too. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** An own field of an object; undefined if the value is no object or has no such field. */
export function field(value: unknown, name: string): unknown {
  const object = asObject(value)
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined
}

/** The parsed text; undefined if it is no JSON. Nothing of the text is told, as it may be a token. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

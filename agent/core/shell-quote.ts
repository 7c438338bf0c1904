/** Owns quoting for sh(1), for the commands that are exported as scripts. */

/** Single quotes where they are needed, and nothing in them means anything. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

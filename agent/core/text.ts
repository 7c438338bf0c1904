/** Texts for people: what a server said, on one line, what a mistyped name may have meant, and a word of a shell script. */

/** Control characters would forge lines of the log, or colors of a terminal. */
export function oneLine(text: string, mostCharacters = Number.POSITIVE_INFINITY): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, mostCharacters)
}

/** `1 change`, `2 changes`. */
export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}

/** `512 KiB`, `44.7 GiB`: what `df -h` would say. */
export function formatBytes(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
  const step = Math.min(Math.max(Math.floor(Math.log2(Math.max(bytes, 1)) / 10) - 1, 0), units.length - 1)
  const value = bytes / 1024 ** (step + 1)
  return `${step === 0 ? Math.floor(value) : value.toFixed(1)} ${units[step]}`
}

/** The known name nearest to a mistyped one (edit distance of at most a third of its length), or undefined. */
export function suggestName(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.ceil(name.length / 3) + 1
  for (const candidate of names) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}

/** For sh(1): single quotes if they are needed, and nothing in them means anything. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

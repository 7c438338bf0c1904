/** Owns durations as Go and Vault write them: `24h`, `1h30m`, `90s`, `250ms`, or a plain number of seconds. */

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds, or undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(value) * (unitMs[unit ?? ''] ?? 0)
  return Math.round(total)
}

/** The two largest units, for people: `3d 4h`, `12m 5s`, `0s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  if (first < 0) return '0s'
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0)
  return (ms < 0 ? '-' : '') + shown.map(([value, unit]) => `${value}${unit}`).join(' ')
}

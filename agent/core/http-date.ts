/** Owns reading the dates of HTTP headers (RFC 9110, 5.6.7). */

/** The format has four digits for the year. */
const endOfDatesMs = Date.UTC(10_000, 0)

/** Milliseconds since the epoch; undefined for anything else, also for what Date.parse would take for a date (`-1`). */
export function parseHttpDate(text: string | undefined): number | undefined {
  // All three formats begin with the name of the day.
  const ms = text !== undefined && /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN
  return Math.abs(ms) < endOfDatesMs ? ms : undefined
}

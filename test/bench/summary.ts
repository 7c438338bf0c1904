/** Owns how repeated figures are told: least, median, greatest. */

export interface Summary {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** @throws where there is no figure */
export function summarize(values: readonly number[], digits = 2): Summary {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const [min, max, upper] = [sorted[0], sorted.at(-1), sorted[middle]]
  if (min === undefined || max === undefined || upper === undefined) throw new Error('there is nothing to summarize')
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
  return { min: rounded(min, digits), median: rounded(median, digits), max: rounded(max, digits) }
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}

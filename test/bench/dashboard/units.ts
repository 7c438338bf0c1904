/** Owns how a value reads on the dashboard's picture: Grafana's units `s` and `short`. */

const steps = [
  [86_400 * 2, 86_400, 'd'],
  [3600, 3600, 'h'],
  [60, 60, 'min'],
  [1, 1, 's'],
  [0, 0.001, 'ms'],
] as const

export function formatUnit(value: number, unit = 'short'): string {
  if (unit !== 's') return value.toLocaleString('en', { maximumFractionDigits: 1 })
  if (value === 0) return '0'
  const size = Math.abs(value)
  const [, divisor, name] = steps.find(([from]) => size >= from) ?? steps[3]
  return `${Number((value / divisor).toFixed(size / divisor < 10 ? 1 : 0))} ${name}`
}

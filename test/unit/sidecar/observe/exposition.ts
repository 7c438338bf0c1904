/**
 * Owns reading Prometheus' two formats in tests, strictly: every sample belongs to the family announced before it, no family
 * comes twice, every line has one of the known forms.
 * @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */

export interface Exposition {
  /** Type of each family, by the name in its TYPE line. */
  readonly types: ReadonlyMap<string, string>
  /** Value of each sample, by its name and labels as written. */
  readonly samples: ReadonlyMap<string, number>
}

const suffixes: Readonly<Record<string, Readonly<Record<'text' | 'openMetrics', readonly string[]>>>> = {
  gauge: { text: [''], openMetrics: [''] },
  counter: { text: [''], openMetrics: ['_total'] },
  histogram: { text: ['_bucket', '_sum', '_count'], openMetrics: ['_bucket', '_sum', '_count'] },
}

export function parseExposition(text: string, format: 'text' | 'openMetrics'): Exposition {
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new Error('the last line does not end')
  if (format === 'openMetrics' && lines.pop() !== '# EOF') throw new Error('there is no # EOF')
  let family = ''
  for (const line of lines) {
    if (line === '' && format === 'text') continue
    const comment = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line)
    if (comment?.[1] === 'HELP') {
      family = comment[2] ?? ''
      if (types.has(family)) throw new Error(`${family} comes twice`)
    } else if (comment?.[1] === 'TYPE') {
      if (comment[2] !== family) throw new Error(`${line} comes without its help`)
      types.set(family, comment[3] ?? '')
    } else {
      const sample = /^(\w+)(\{(?:\w+="[^"\\\n]*"(?:,(?!\})|(?=\})))+\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line)
      if (sample === null) throw new Error(`no sample: ${line}`)
      const allowed = suffixes[types.get(family) ?? '']?.[format].map((suffix) => family + suffix)
      if (allowed?.includes(sample[1] ?? '') !== true) throw new Error(`${line} does not belong to ${family}`)
      const key = `${sample[1]}${sample[2] ?? ''}`
      if (samples.has(key)) throw new Error(`${key} comes twice`)
      samples.set(key, Number(sample[3]))
    }
  }
  return { types, samples }
}

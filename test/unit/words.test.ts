/** Holds how the project writes: American spelling, "if" for a condition, and none of the phrases that readers stumbled over. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Variable } from '../../agent/config/variable-row.ts'
import { variables } from '../../agent/config/variables.ts'
import type { Reason } from '../../agent/core/reason.ts'
import { reasons } from '../../agent/core/reason-catalog.ts'

const below = (folder: string, ending: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file))

const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...below('docs', '.md'), ...below('agent', '.ts')]

const british =
  /\b\w*(colour|licence|neighbour|behaviour|honour|favour|judgement|catalogue|telephone|(?:synchron|serial|initial|author|recogn|organ)is(?:e|ed|es|ing)|signall(?:ed|ing)|misspelt)\w*/gi

const phrases =
  /Required but with|valid for ever|for nothing when|or without authentication|stay in memory'|KiB free|keeps it until it ends|is a yes|Told once|What is wanted stands|one user a component|Time-line|the renewal slot of this certificate|could not be looked at|what failed before has passed/g

test.each(files)('%s', (file) => {
  const text = readFileSync(file, 'utf8')
  expect(text.match(british) ?? []).toEqual([])
  expect(text.match(phrases) ?? []).toEqual([])
})

test('reasons and variables say "if" of a condition', () => {
  const said = [
    ...Object.values<Reason>(reasons).flatMap(({ summary, advice }) => [summary, advice]),
    ...Object.values<Variable>(variables).map(({ meaning }) => meaning),
  ]
  expect(said.filter((text) => /(^|[.;,] )[Ww]here (there|they|this|no|AGENT|it is not)\b/.test(text))).toEqual([])
})

test('advice is whole sentences', () => {
  for (const { advice } of Object.values<Reason>(reasons)) expect(advice).toMatch(/^[A-Z].*\.$/)
})

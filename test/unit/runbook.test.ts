/** Holds docs/runbook.md against the codes and the alerts: a section for each, and none for anything else. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { variables } from '../../agent/config/variables.ts'
import { runbookOf } from '../../agent/core/reason.ts'
import { type ReasonCode, reasons } from '../../agent/core/reason-catalog.ts'
import { readAlerts } from '../../build/alert-rules.ts'

const text = readFileSync('docs/runbook.md', 'utf8')
const sections = new Map(
  text
    .split(/^#{2,3} /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section.slice(section.indexOf('\n') + 1)]),
)
const alerts = readAlerts().map(({ alert }) => alert)
const codes = Object.keys(reasons) as ReasonCode[]

/** As GitHub makes them of headings. */
const anchors = new Set(
  [...sections.keys()].map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  ),
)
const parts = (section: string): string[] =>
  [...section.matchAll(/^- \*\*(\w+):\*\* \S.*$/gm)].map(([, name = '']) => name)

describe('the runbook', () => {
  test('has a section for every code and every alert, and no other', () => {
    const titles = [...text.matchAll(/^### (.*)$/gm)].map(([, title = '']) => title)
    expect(titles.toSorted()).toEqual([...codes.map((code) => `\`${code}\``), ...alerts].toSorted())
  })

  test.each([...codes, ...alerts])('is found by the link of %s, and says what, meanwhile, check and fix', (name) => {
    const [file, anchor = ''] = runbookOf(name).split('#')
    expect(file).toBe('docs/runbook.md')
    expect([...anchors]).toContain(anchor)
    const section = sections.get(name) ?? sections.get(`\`${name}\``) ?? ''
    expect(parts(section)).toEqual(['Means', 'Meanwhile', 'Check', 'Fix'])
  })

  test.each(codes)('says of %s how it is retried', (code) => {
    const section = sections.get(`\`${code}\``) ?? ''
    const [, meanwhile = ''] = /^- \*\*Meanwhile:\*\* (.*)$/m.exec(section) ?? []
    expect(meanwhile).toMatch(new RegExp(`^\\[${reasons[code].retry}\\]\\(#retries\\)`))
  })

  test('links to what exists, and names variables and metrics that exist', () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('#')) expect([...anchors]).toContain(target.slice(1))
      else expect(existsSync(join('docs', target.replace(/#.*/, '')))).toBe(true)
    }
    for (const [name] of text.matchAll(/\b(AGENT|VAULT|ETCD)_[A-Z_]+\b/g)) expect(variables).toHaveProperty(name)
    const metrics = readFileSync('docs/metrics.md', 'utf8')
    for (const [, name = ''] of text.matchAll(/\bcalico_vault_agent_(\w+)/g)) expect(metrics).toContain(`\`${name}\``)
  })
})

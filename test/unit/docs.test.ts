import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { documents, renderDocument } from '../../build/docs.ts'

describe('the documentation', () => {
  it.each(Object.entries(documents))('%s holds the tables of the code (npm run docs)', (file, names) => {
    const text = readFileSync(file, 'utf8')
    expect(renderDocument(text, names)).toBe(text)
  })

  it('names only npm scripts that exist', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
    const texts = ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/monitoring.md']
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
    const named = [...texts.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name)
    expect(named.length).toBeGreaterThan(5)
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining([...new Set(named)]))
  })
})

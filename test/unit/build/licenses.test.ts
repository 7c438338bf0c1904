import { describe, expect, it } from 'vitest'
import { licenseList } from '../../../build/licenses.ts'
import type { SbomComponent } from '../../../build/sbom.ts'

const metadata = { component: { name: 'agent', version: '1.2.3' } }

function component(name: string, text: string | undefined): SbomComponent {
  const texts = text === undefined ? [] : [{ license: { text: { content: btoa(text), encoding: 'base64' as const } } }]
  return { name, version: '1.0.0', licenses: [{ license: { id: 'MIT' } }], evidence: { licenses: texts } }
}

describe('licenseList', () => {
  it('names what is in which bundle, and gives every text once', () => {
    const components = [component('a', 'MIT of A\r\n'), component('b', 'MIT of A'), component('c', 'MIT of C')]
    const packages = new Map([
      ['two.js', new Set(['c', 'a'])],
      ['one.js', new Set(['b'])],
      ['none.js', new Set<string>()],
    ])
    const text = licenseList({ metadata, components }, packages)
    expect(text).toMatch(/^Third-party software in agent 1\.2\.3,.*\n\n.*\n\n {2}one\.js: b\n {2}two\.js: a, c\n/)
    expect(text).toMatch(
      /=\na 1\.0\.0 \(MIT\)\nb 1\.0\.0 \(MIT\)\n=+\n\nMIT of A\n\n=+\nc 1\.0\.0 \(MIT\)\n=+\n\nMIT of C\n$/,
    )
  })

  it('stops the build where a package has no license text', () => {
    const list = () => licenseList({ metadata, components: [component('a', undefined)] }, new Map())
    expect(list).toThrow('a 1.0.0 (MIT) is in a bundle and has no license text')
  })
})

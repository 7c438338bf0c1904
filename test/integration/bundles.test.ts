/** Proves that what is said of the bundles in dist/ (which `npm test` has built) is what is in them. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import type { Metafile } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { packagesByBundle } from '../../build/contents.ts'
import { nameOf, titleOf } from '../../build/licenses.ts'
import type { Sbom } from '../../build/sbom.ts'

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))
const contents = readJson('dist.meta.json') as Metafile
const sbom = readJson('dist.cdx.json') as Sbom
const licenses = readFileSync('dist/THIRD-PARTY-LICENSES', 'utf8')
const lock = readJson('package-lock.json') as { packages: Record<string, { version: string; dev?: boolean }> }

const bundled = [...new Set([...packagesByBundle(contents).values()].flatMap((names) => [...names]))].toSorted()

describe('the bundles', () => {
  it('need nothing beside Node and each other', () => {
    const external = Object.values(contents.outputs).flatMap(({ imports }) => imports.filter((each) => each.external))
    const siblings = Object.keys(contents.outputs).map((path) => path.replace(/^.*\//, './'))
    const strange = external.map(({ path }) => path).filter((path) => !isBuiltin(path) && !siblings.includes(path))
    expect(strange).toEqual([])
  })

  it('leave what few need out of the way to the first certificate', () => {
    const inputs = Object.keys(contents.outputs['dist.new/cli.js']?.inputs ?? {})
    expect(inputs).toContain('agent/vault/connections.ts')
    expect(
      inputs.filter((path) => /vault\/proxy\.ts$|probe\/probe\.ts$|background\.ts$|operator\/doctor\//.test(path)),
    ).toEqual([])
  })

  it('come with a code cache that this Node takes, made under the flags of a start', () => {
    const program = `
      import { readFileSync } from 'node:fs'
      import { loadScript } from './agent/core/script-loader.ts'
      console.log(loadScript('dist/cli.js', readFileSync('dist/cli.cache')).script.cachedDataRejected)`
    expect(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })).toBe(
      'false\n',
    )
  })

  it('have the parser of HTTP beside them as it is, ready to be compiled', () => {
    const parser = readFileSync('dist/llhttp.wasm')
    expect(parser.subarray(0, 4).toString('latin1')).toBe('\0asm')
    expect(parser.includes('llhttp_execute')).toBe(true)
  })

  it('hold runtime dependencies only, at the locked versions', () => {
    for (const component of sbom.components) {
      const locked = Object.entries(lock.packages).filter(([path]) =>
        path.endsWith(`node_modules/${nameOf(component)}`),
      )
      expect(
        locked.some(([, { version, dev }]) => version === component.version && dev !== true),
        titleOf(component),
      ).toBe(true)
    }
  })

  it('are all of the bill of materials, and nothing else is', () => {
    expect(bundled).toContain('undici')
    expect([...new Set(sbom.components.map(nameOf))].toSorted()).toEqual(bundled)
  })

  it('of the agent have no library that only commands need', () => {
    const holding = (name: string): string[] =>
      [...packagesByBundle(contents)].filter(([, packages]) => packages.has(name)).map(([bundle]) => bundle)
    for (const name of ['commander', 'yaml', 'etcd3']) {
      expect(holding(name)).not.toEqual([])
      expect(holding(name).filter((bundle) => !bundle.endsWith('.mjs'))).toEqual([])
    }
  })

  it('come with the license of each package', () => {
    const texts = new Map<string, string>()
    for (const [, titles = '', text = ''] of licenses.matchAll(/={80}\n(.+?)\n={80}\n\n(.+?)\n(?=\n={80}|$)/gs)) {
      for (const title of titles.split('\n')) texts.set(title, text)
    }
    expect([...texts.keys()].toSorted()).toEqual(sbom.components.map(titleOf).toSorted())
    for (const [title, text] of texts) expect(text, title).toMatch(/copyright|permission/i)
  })

  it('come under licenses that ask for nothing but to be named', () => {
    const accepted = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD']
    const others = sbom.components.map(titleOf).filter((title) => !accepted.some((id) => title.endsWith(`(${id})`)))
    expect(others).toEqual([])
  })
})

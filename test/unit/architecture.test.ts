import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

/** From the ground up: a layer imports from itself and from those before it. */
const layers = ['core', 'pki', 'config', 'vault', 'sidecar', 'operator', 'cli']

const files = readdirSync('agent', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .toSorted()

/** The first folder; files beside the folders are the entry, which stands above all. */
const layerOf = (file: string): number => {
  const index = layers.indexOf(file.split('/', 1)[0] ?? '')
  return file.includes('/') ? index : layers.length
}

/** Static, type-only and dynamic imports of our own files. */
function importsOf(file: string): string[] {
  const text = readFileSync(join('agent', file), 'utf8')
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g)].map(([, path = '']) =>
    normalize(join(dirname(file), path)),
  )
}

const imports = new Map(files.map((file) => [file, importsOf(file)]))

describe('the tree of agent/', () => {
  test('every folder is a layer', () => {
    expect(files.filter((file) => layerOf(file) < 0)).toEqual([])
  })

  test('imports point one way', () => {
    const upwards = files.flatMap((file) =>
      (imports.get(file) ?? []).filter((other) => layerOf(other) > layerOf(file)).map((other) => `${file} → ${other}`),
    )
    expect(upwards).toEqual([])
  })

  test('observe is told by events, and knows none of those who tell', () => {
    const asked = files
      // The events are the words of all who tell.
      .filter((file) => file.startsWith('sidecar/observe/') && file !== 'sidecar/observe/events.ts')
      .flatMap((file) => (imports.get(file) ?? []).map((other) => `${file} → ${other}`))
      .filter((edge) => /→ (sidecar\/(source|store|gate)|sidecar\/[^/]+\.ts)/.test(edge))
    expect(asked).toEqual([])
  })

  test('no file imports itself by way of others', () => {
    const done = new Set<string>()
    const cycleFrom = (file: string, path: readonly string[]): readonly string[] | undefined => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
      if (done.has(file)) return undefined
      for (const other of imports.get(file) ?? []) {
        const cycle = cycleFrom(other, [...path, file])
        if (cycle !== undefined) return cycle
      }
      done.add(file)
      return undefined
    }
    expect(files.map((file) => cycleFrom(file, [])).find((cycle) => cycle !== undefined)).toBeUndefined()
  })

  test('docs/architecture.md shows every folder, and no other', () => {
    const picture = /```\n(agent\/[\s\S]*?)```/.exec(readFileSync('docs/architecture.md', 'utf8'))?.[1] ?? ''
    const shown = new Set<string>()
    let parent = ''
    for (const line of picture.split('\n')) {
      const [, indent = '', name = ''] = /^(\s+)([\w-]+)\//.exec(line) ?? []
      if (name === '') continue
      if (indent.length <= 2) parent = name
      shown.add(indent.length <= 2 ? name : `${parent}/${name}`)
    }
    const folders = new Set(files.flatMap((file) => [dirname(file), dirname(dirname(file))]))
    const upToTwo = [...folders].filter((folder) => folder !== '.' && folder.split('/').length <= 2)
    expect([...shown].toSorted()).toEqual(upToTwo.toSorted())
  })
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documents, renderDocument, renderedFiles } from '../../build/docs.ts'
import { commandsNotRun, commandsRun } from '../manifests/named-commands.ts'
import { type Block, documentFiles, namedCommands, shellBlocks } from '../support/documents.ts'

function allShellBlocks(): (Block & { title: string })[] {
  return ['README.md', ...documentFiles()]
    .flatMap(shellBlocks)
    .map((block) => ({ ...block, title: block.text.split('\n', 1)[0]?.slice(0, 60) ?? '' }))
}

/** What a link may lead to in a document: its headings as GitHub names them, and the anchors that it sets itself. */
function anchorsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const headings = text.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm)
  return [
    ...[...headings].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
    ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id),
  ]
}

const linking = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...documentFiles(), ...decisions()]

function decisions(): string[] {
  return readdirSync('docs/adr').map((name) => `docs/adr/${name}`)
}

describe('the documentation', () => {
  it.each(linking)('%s links to files and headings that exist', (file) => {
    const text = readFileSync(file, 'utf8').replaceAll(/^```.*?^```/gms, '')
    const dead = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#')
        const to = path === '' ? file : join(dirname(file), path)
        return !existsSync(to) || (anchor !== undefined && !anchorsOf(to).includes(anchor))
      })
    expect(dead).toEqual([])
  })

  it.each(Object.entries(documents))('%s holds the tables of the code (npm run docs)', (file, names) => {
    const text = readFileSync(file, 'utf8')
    expect(renderDocument(text, names)).toBe(text)
  })

  it.each(Object.entries(renderedFiles()))('%s is made of the code (npm run docs)', (file, text) => {
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  it('names only tests that exist, where it says what proves the threat model', () => {
    const text = readFileSync('docs/security.md', 'utf8')
    const named = [...text.matchAll(/`((?:setup-vault|agent|etcd|unit)\/[\w/-]+)`/g)].map(([, name = '']) => name)
    expect(named.length).toBeGreaterThan(10)
    for (const name of new Set(named)) {
      const file = `test/${name.startsWith('unit/') ? '' : 'integration/'}${name}.test.ts`
      expect({ name, exists: existsSync(file) }).toEqual({ name, exists: true })
    }
  })

  it.each(allShellBlocks())(
    '$document: $title is run by a test, or it says why not',
    ({ document, tested, notRun }) => {
      expect(tested.length > 0 || notRun !== undefined).toBe(true)
      // Whoever changes the block finds its test, and the test reads the document.
      for (const file of tested) {
        expect({ file, exists: existsSync(file) }).toEqual({ file, exists: true })
        if (!file.startsWith('test/image/'))
          expect({ file, text: readFileSync(file, 'utf8') }).toMatchObject({
            text: expect.stringContaining(document.replace('docs/', '')) as string,
          })
      }
    },
  )

  it('names commands in sentences that a test runs too, or it is said why none does', () => {
    const programs = ['kubectl', 'vault', 'etcdctl', 'curl', 'openssl', 'yq']
    const known = [...commandsRun.map(({ command }) => command), ...Object.keys(commandsNotRun)]
    expect(namedCommands(programs)).toEqual([...new Set(known)].toSorted())
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

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linesOf, parseNodePage, parseWatchEvent } from '../../../../agent/operator/kubernetes/answers.ts'

async function collect(chunks: readonly Uint8Array[], longest?: number): Promise<string[]> {
  const lines: string[] = []
  const source = (async function* () {
    for (const chunk of chunks) yield await Promise.resolve(chunk)
  })()
  for await (const line of linesOf(source, longest)) lines.push(line)
  return lines
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '))

describe('the lines of a watch', () => {
  it('are the same however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), line, async (lines, places, rest) => {
        const bytes = Buffer.from(lines.map((each) => `${each}\n`).join('') + rest)
        expect(await collect(cut(bytes, places))).toEqual(lines.map((each) => Buffer.from(each).toString()))
      }),
    )
  })

  it('have an end', async () => {
    const chunks = Array.from({ length: 20 }, () => Buffer.alloc(10, 'x'))
    await expect(collect(chunks, 100)).rejects.toMatchObject({ code: 'kube-bad-answer' })
    expect(await collect([...chunks.slice(0, 10), Buffer.from('\n')], 100)).toEqual(['x'.repeat(100)])
  })
})

const metadata = { name: 'node1', resourceVersion: '7' }

describe('an event', () => {
  it.each([
    [
      { type: 'ADDED', object: { metadata } },
      { type: 'present', name: 'node1', resourceVersion: '7' },
    ],
    [
      { type: 'MODIFIED', object: { metadata } },
      { type: 'present', name: 'node1', resourceVersion: '7' },
    ],
    [
      { type: 'DELETED', object: { metadata } },
      { type: 'deleted', name: 'node1', resourceVersion: '7' },
    ],
    [
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } },
      { type: 'bookmark', resourceVersion: '9' },
    ],
    [
      { type: 'ERROR', object: { code: 410, message: 'too old' } },
      { type: 'error', status: 410, message: 'too old' },
    ],
    [{ type: 'ERROR' }, { type: 'error', status: 500, message: '' }],
    [{ type: 'ADDED', object: { metadata: { resourceVersion: '9' } } }, { type: 'malformed' }],
    [{ type: 'RENAMED', object: { metadata } }, { type: 'malformed' }],
    [null, { type: 'malformed' }],
  ])('%j', (event, expected) => {
    expect(parseWatchEvent(JSON.stringify(event))).toEqual(expected)
  })

  it('of garbage is malformed, and never thrown', () => {
    const types = ['present', 'deleted', 'bookmark', 'error', 'malformed']
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(types).toContain(parseWatchEvent(text).type)
      }),
    )
    expect(parseWatchEvent('{"type":"ADDED","object":{"metadata":{"na')).toEqual({ type: 'malformed' })
  })
})

describe('a page of nodes', () => {
  it('is names, a version and perhaps a next page', () => {
    const page = { metadata: { resourceVersion: '5', continue: 'next' }, items: [{ metadata }] }
    expect(parseNodePage(JSON.stringify(page))).toEqual({ names: ['node1'], resourceVersion: '5', continue: 'next' })
    const empty = { metadata: { resourceVersion: '5', continue: '' }, items: null }
    expect(parseNodePage(JSON.stringify(empty))).toEqual({ names: [], resourceVersion: '5', continue: undefined })
  })

  it('is refused whole where it is anything else: half a list would remove nodes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseNodePage(text)).toThrow(/no list/)
      }),
    )
    const bad = { metadata: { resourceVersion: '5' }, items: [{ metadata }, { metadata: {} }] }
    expect(() => parseNodePage(JSON.stringify(bad))).toThrow('the answer is no list of nodes')
    expect(() => parseNodePage(JSON.stringify({ metadata: { resourceVersion: '5' } }))).toThrow(/no list/)
  })
})

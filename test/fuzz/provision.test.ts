/** The parsers of `provision` and of the etcd probe under hostile input (see parsers.test.ts). */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseProfiles } from '../../agent/operator/etcd/profile-file.ts'
import { readReceipt, readRecord } from '../../agent/operator/etcd/record.ts'
import { linesOf, parseNodePage, parseWatchEvent } from '../../agent/operator/kubernetes/answers.ts'
import { countGrants, decodeRoles } from '../../agent/sidecar/gate/probe/messages.ts'
import { isAgentError, parameters, survives } from './cases.ts'
import { brokenJson, brokenText } from './mutations.ts'

describe('provision', () => {
  const profile = `profiles:
  my-reader:
    scope: node
    about: reads
    ranges:
      - {access: read, keys: "/calico/ipam/*", since: v3.28, until: v3.30}
      - {access: readwrite, keys: "/calico/x/{node}"}
`
  test('profile files', () => {
    fc.assert(
      fc.property(brokenText([profile, JSON.stringify({ profiles: { a: { ranges: [] } } })]), (text) => {
        const { problems } = parseProfiles(text)
        for (const problem of problems) expect(problem).toMatch(/^\d+:\d+ /)
      }),
      parameters,
    )
  })

  const node = { metadata: { name: 'node1', resourceVersion: '12' } }

  test('events of a watch', () => {
    const events = brokenJson({ type: 'ADDED', object: node }).map((event) => JSON.stringify(event) ?? '')
    fc.assert(
      fc.property(fc.oneof(events, brokenText([JSON.stringify({ type: 'DELETED', object: node })])), (line) => {
        const event = parseWatchEvent(line)
        if ('name' in event) expect(event.name).not.toBe('')
      }),
      parameters,
    )
  })

  test('lists of nodes', () => {
    const pages = brokenJson({ metadata: { resourceVersion: '1', continue: 'x' }, items: [node, node] })
    fc.assert(
      fc.property(
        pages.map((page) => JSON.stringify(page) ?? ''),
        (text) => survives(() => parseNodePage(text)),
      ),
      parameters,
    )
  })

  test('streams of lines, however they are cut: nothing is lost, and memory has an end', async () => {
    const chunks = fc.array(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte % 5 === 0 ? 10 : byte))),
    )
    await fc.assert(
      fc.asyncProperty(chunks, async (given) => {
        const whole = Buffer.concat(given).toString('latin1').split('\n')
        const found: string[] = []
        try {
          for await (const line of linesOf(stream(given), 60)) found.push(line)
          expect(found.length).toBe(whole.length - 1)
        } catch (error) {
          if (!isAgentError(error)) throw error
        }
      }),
      parameters,
    )
  })

  test('the record in etcd', async () => {
    const receipt = JSON.stringify({ revision: '1', digest: 'x', notes: ['a'] })
    const cases = fc.tuple(brokenText(['user a\nrole calico-x\n']), brokenText([receipt]))
    await fc.assert(
      fc.asyncProperty(cases, async ([record, stored]) => {
        const key = (value: string) => ({ key: '/k', value, revision: '1' })
        const api = { list: async () => [key(record)], get: async () => key(stored) } as never
        const { made } = await readRecord(api)
        // Whatever is written there: it is not our administrator's role.
        expect(made.roles.has('root')).toBe(false)
        await readReceipt(api)
      }),
      parameters,
    )
  })
})

test("messages of etcd's API", () => {
  const message = Buffer.from([0x12, 3, 0x61, 0x62, 0x63])
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 8 }).map((each) => Buffer.concat([message, each])),
  )
  fc.assert(
    fc.property(bytes, (each) => {
      for (const decode of [decodeRoles, countGrants]) {
        survives(
          () => decode(Buffer.from(each)),
          (error) => error instanceof RangeError,
        )
      }
    }),
    parameters,
  )
})

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

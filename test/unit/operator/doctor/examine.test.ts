import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Target } from '../../../../agent/config/config.ts'
import { AgentError } from '../../../../agent/core/errors.ts'
import { reasons } from '../../../../agent/core/reason-catalog.ts'
import { type Access, memoize, memoizeFor } from '../../../../agent/operator/doctor/access.ts'
import { type Check, type Finding, failure, ok, skipped } from '../../../../agent/operator/doctor/check.ts'
import { createChecks } from '../../../../agent/operator/doctor/checks.ts'
import { examine, withClock } from '../../../../agent/operator/doctor/examine.ts'

const targets = ['one', 'two'].map((component) => ({ component }) as Target)

const check = (id: string, run: Check['run'], more: Partial<Check> = {}): Check => ({ id, title: id, run, ...more })

async function statuses(checks: readonly Check[], limitMs = 60_000): Promise<unknown[]> {
  const told: Finding[] = []
  const found = await examine({ checks, targets, access: {} as Access, limitMs, found: (each) => told.push(each) })
  expect(told).toEqual(found)
  return found.map(({ check: id, target, status }) => [id, target, status])
}

const fails = (): never => {
  throw new AgentError('vault-sealed', 'sealed')
}

describe('an examination', () => {
  it('skips what needs a check that has failed, and what needs that', async () => {
    const checks = [
      check('a', fails),
      check('b', () => ok(''), { needs: ['a'] }),
      check('c', () => ok(''), { needs: ['b'] }),
    ]
    expect(await statuses(checks)).toEqual([
      ['a', undefined, 'failure'],
      ['b', undefined, 'skipped'],
      ['c', undefined, 'skipped'],
    ])
  })

  it('goes on where only the other target has failed', async () => {
    const forOne: Check['run'] = (_access, { component }) => (component === 'one' ? fails() : ok(''))
    const checks = [check('a', forOne, { each: 'target' }), check('b', () => ok(''), { each: 'target', needs: ['a'] })]
    expect(await statuses(checks)).toEqual([
      ['a', 'one', 'failure'],
      ['a', 'two', 'ok'],
      ['b', 'one', 'skipped'],
      ['b', 'two', 'ok'],
    ])
  })

  it('a check that never ends is a failure', async () => {
    expect(await statuses([check('a', () => new Promise(() => {}))], 1)).toEqual([['a', undefined, 'failure']])
  })

  it('a bug is not a finding', async () => {
    const bug = (): never => {
      throw new TypeError('x is not a function')
    }
    await expect(statuses([check('a', bug)])).rejects.toThrow(TypeError)
  })

  it('what was left out is told with its reason', async () => {
    const checks = [check('a', () => skipped('--no-sign')), check('b', () => ok(''), { needs: ['a'] })]
    const found = await examine({ checks, targets, access: {} as Access, limitMs: 1000, found: () => {} })
    expect(found[1]?.saw).toBe('a was skipped: --no-sign')
  })

  it('the cause is named once, however many checks are between', async () => {
    const checks = [
      check('a', () => failure('no', 'vault-denied')),
      check('b', () => ok(''), { needs: ['a'] }),
      check('c', () => ok(''), { needs: ['b'] }),
      check('d', () => skipped('--no-sign')),
      check('e', () => ok(''), { needs: ['d'] }),
      check('f', () => ok(''), { needs: ['e'] }),
    ]
    const found = await examine({ checks, targets, access: {} as Access, limitMs: 1000, found: () => {} })
    const saw = Object.fromEntries(found.map((each) => [each.check, each.saw]))
    expect(saw).toMatchObject({ b: 'a has failed', c: 'a has failed' })
    expect(saw).toMatchObject({ e: 'd was skipped: --no-sign', f: 'd was skipped: --no-sign' })
  })
})

describe('a date as the reason', () => {
  const now = () => Date.parse('2026-11-21T12:00:00Z')
  const finding = { check: 'published', title: 'x', target: undefined, ...failure('it has expired', 'expired') }

  it('has whoever reads look at the clock', () => {
    const clock = /^.+ Or the clock is wrong: this machine has 2026-11-21T12:00:00Z \(check `clock`\)\.$/
    expect(withClock(finding, now).advice).toMatch(clock)
    const tls = { ...finding, ...failure('certificate is not yet valid', 'vault-tls', 'Look at the file.') }
    expect(withClock(tls, now).advice).toMatch(/^Look at the file\. Or the clock is wrong/)
  })

  it.each([
    ['what is well', { status: 'ok' as const }],
    ['what has another reason', { saw: 'sealed', code: 'vault-sealed' as const }],
    ['the clock itself', { check: 'clock' }],
  ])('but not for %s', (_what, change) => {
    const other = { ...finding, ...change }
    expect(withClock(other, now)).toBe(other)
  })
})

describe('the table of checks', () => {
  it('has each once, after those it needs', () => {
    const ids = createChecks(undefined).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [index, { needs = [] }] of createChecks(undefined).entries()) {
      expect(ids.slice(0, index)).toEqual(expect.arrayContaining([...needs]))
    }
  })
})

describe('docs/doctor.md', () => {
  it('has an anchor for each check, in their order', () => {
    const anchors = [...readFileSync('docs/doctor.md', 'utf8').matchAll(/<a id="([^"]+)"><\/a>`\1`/g)].map(
      ([, id]) => id,
    )
    expect(anchors).toEqual(createChecks(undefined).map(({ id }) => id))
  })
})

describe('the questions of the runbook', () => {
  const text = readFileSync('docs/doctor.md', 'utf8').split('<!-- questions -->')[1]?.split('\n\n')[0] ?? ''
  const rows = text.split('\n').slice(3)

  it('are answered by checks that there are, and every check answers one', () => {
    const named = rows.flatMap((row) =>
      [...(row.split(' | ')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, id = '']) => id),
    )
    const ids = createChecks(undefined).map(({ id }) => id)
    expect(new Set(named)).toEqual(new Set(ids))
  })

  it('are about codes that there are', () => {
    const codes = Object.keys(reasons)
    for (const row of rows) {
      for (const [, code = '', dots] of (row.split(' | ')[0] ?? '').matchAll(/`([a-z-]+)(…?)`/g)) {
        const isThere = codes.some((each) => (dots === '' ? each === code : each.startsWith(code)))
        expect({ code, isThere }).toEqual({ code, isThere: true })
      }
    }
  })
})

describe('once', () => {
  it('keeps what was answered, and what was thrown', () => {
    let calls = 0
    const get = memoize(() => ++calls)
    expect([get(), get()]).toEqual([1, 1])
    const refuse = memoizeFor((name: string) => {
      throw new Error(`${name} ${++calls}`)
    })
    expect(() => refuse('a')).toThrow('a 2')
    expect(() => refuse('a')).toThrow('a 2')
    expect(() => refuse('b')).toThrow('b 3')
  })
})

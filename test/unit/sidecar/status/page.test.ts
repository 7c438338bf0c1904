import { createHash } from 'node:crypto'
import { assert, property, string } from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { escaped, html } from '../../../../agent/sidecar/status/html.ts'
import { statusJson } from '../../../../agent/sidecar/status/json.ts'
import { statusPage } from '../../../../agent/sidecar/status/page.ts'
import type { Status, TargetStatus } from '../../../../agent/sidecar/status/status.ts'

const target: TargetStatus = {
  component: 'calico-node',
  directory: '/calico-secrets',
  state: 'good',
  problem: undefined,
  certificate: {
    commonName: 'calico-node:node1',
    serialNumber: 'AB',
    issuer: 'CN=CA',
    notBeforeMs: 0,
    notAfterMs: 86_400_000,
    renewAtMs: 50_000_000,
    chain: ['CN=CA'],
  },
  ca: [],
  happenings: [],
  failure: undefined,
  unproven: undefined,
  budget: undefined,
  notTold: undefined,
}
const statusOf = (change: Partial<TargetStatus>, atMs = 43_200_000): Status => ({
  node: 'node1',
  atMs,
  version: '1',
  vaultAddress: 'https://vault-2:8200',
  vault: undefined,
  targets: [{ ...target, ...change }],
})

test.each<[string, Status['vault'], string]>([
  [
    'when Vault was seen, how and where',
    { answered: { atMs: 43_200_000 - 180_000, operation: 'issuers' }, failure: undefined },
    'Vault answered at https://vault-2:8200 3m ago, asked for the list of issuers.',
  ],
  [
    'that Vault fails',
    {
      answered: { atMs: 0, operation: 'sign' },
      failure: { reason: 'vault-sealed', atMs: 43_200_000, firstAtMs: 43_200_000 },
    },
    'Vault is sealed or not initialized. Vault was last asked just now. It last answered at https://vault-2:8200 12h ago, asked for a signature.',
  ],
  [
    'that Vault has never answered',
    { answered: undefined, failure: { reason: 'vault-timeout', atMs: 43_190_000, firstAtMs: 0 } },
    'Vault did not answer in time. Vault was last asked 10s ago. It has not answered since the agent started.',
  ],
  [
    'that Vault was not asked',
    { answered: undefined, failure: undefined },
    'Vault has not been asked since the agent started.',
  ],
])('the summary says %s', (_what, vault, text) => {
  expect(statusPage({ ...statusOf({}), vault }).text).toContain(`<p class="vault">${text}</p>`)
})

test.each([
  [true, false, 'by the chain'],
  [false, true, 'to verify etcd'],
  [true, true, 'by the chain, to verify etcd'],
  [false, false, 'no'],
])('a CA is shown with its use (%s, %s)', (isInUse, verifiesEtcd, text) => {
  const ca = [{ name: 'CN=CA', serialNumber: '1', notAfterMs: 0, isInUse, verifiesEtcd }]
  expect(statusPage(statusOf({ ca })).text).toContain(`<td>${text}</td>`)
})

test('the worst target comes first, in the summary and after it', () => {
  const targets = (['good', 'late', 'missing', 'expired'] as const).map((state) => ({
    ...target,
    component: state,
    state,
    ...(state === 'missing' && { certificate: undefined, problem: 'the directory does not exist' }),
  }))
  const { text } = statusPage({ ...statusOf({}), targets })
  const order = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = '']) => name)
  expect(order(/<a href="#target-(\w+)">/g)).toEqual(['missing', 'expired', 'late', 'good'])
  expect(order(/<h2 id="target-(\w+)">/g)).toEqual(['missing', 'expired', 'late', 'good'])
  expect(text).toContain('<title>node1: missing: missing – calico-vault-agent</title>')
  expect(text).toMatch(/1 missing<\/li>\n.*1 expired<\/li>\n.*1 renewal overdue<\/li>\n.*1 good<\/li>/)
})

test.each([
  [43_200_000, ['Valid for 12h', 'renews in 1h 53m']],
  [50_000_000, ['Valid for 10h 6m', 'renewal due now']],
  [60_000_000, ['Valid for 7h 20m', 'renewal overdue for 2h 46m']],
  [86_425_000, ['Expired 25s ago', 'renewal overdue for 10h 7m']],
])('at %i it is said how the certificate stands', (atMs, [large, rest]) => {
  expect(statusPage(statusOf({}, atMs)).text).toContain(`<strong>${large}</strong>; ${rest}</p>`)
})

describe('html', () => {
  it('cannot be injected into', () => {
    assert(
      property(string({ unit: 'grapheme' }), (text) => {
        const { text: shown } = html`<p title="${text}">${text}</p>`
        expect(shown.slice(3, -4)).not.toMatch(/[<>].*[<>].*[<>]/)
        expect(shown.match(/[<>"']/g)?.join('')).toBe('<""><>')
      }),
    )
  })

  it('holds other html as it is, and lists of it', () => {
    expect(html`<ul>${['a', '<'].map((each) => html`<li>${each}</li>`)}${escaped('<hr>')}${1}</ul>`.text).toBe(
      '<ul><li>a</li>\n<li>&#60;</li><hr>1</ul>',
    )
  })
})

describe('the page', () => {
  it('allows its own style and nothing else', () => {
    const { text, headers } = statusPage(statusOf({}))
    const style = /<style>(.*?)<\/style>/s.exec(text)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(headers['content-security-policy']).toContain(`default-src 'none'; style-src 'sha256-${hash}';`)
    expect(text).not.toMatch(/<script|\s(style|on\w+|src)=/)
  })

  it.each<[string, Partial<TargetStatus>, string]>([
    ['good', {}, 'Good'],
    ['expired', { state: 'expired' }, 'Expired'],
    ['missing', { state: 'missing', certificate: undefined, problem: 'the directory does not exist' }, 'not exist'],
    ['late', { state: 'late' }, 'Renewal overdue'],
  ])('%s', (_what, change, word) => {
    expect(statusPage(statusOf(change)).text).toContain(word)
  })

  it.each([
    [-1, 'width="0"'],
    [43_200_000, 'width="50"'],
    [1e12, 'width="100"'],
  ])('at %i, the bar is %s', (atMs, width) => {
    expect(statusPage(statusOf({}, atMs)).text).toContain(`<rect class="spent" ${width}`)
  })

  it('what the issuance budget has left is among the facts', () => {
    const { text } = statusPage(statusOf({ budget: { limit: 12, spent: 3 } }))
    expect(text).toContain('<dt>Issued in the last hour</dt><dd>3 of at most 12 certificates</dd>')
    expect(statusPage(statusOf({})).text).not.toContain('Issued in')
  })

  it('what Vault has said is text', () => {
    const said = { atMs: 0, reason: 'vault-bad-answer', detail: '<script>alert(1)</script>' } as const
    const failure = { ...said, firstAtMs: 0, retryAtMs: 0 }
    const { text } = statusPage(statusOf({ failure, happenings: [{ ...said, what: 'renewal-failed' }] }))
    expect(text).not.toContain('<script')
    expect(text).toContain('&#60;script&#62;')
  })
})

describe('the data', () => {
  it('has times as texts and durations as seconds', () => {
    const failure = { atMs: 1000, firstAtMs: 0, reason: 'vault-sealed', detail: 'why', retryAtMs: 2000 } as const
    expect(JSON.parse(JSON.stringify(statusJson(statusOf({ failure }))))).toMatchObject({
      at: '1970-01-01T12:00:00.000Z',
      targets: [
        {
          certificate: { runwaySeconds: 43_200, ageSeconds: 43_200, notAfter: '1970-01-02T00:00:00.000Z' },
          failure: {
            advice: 'Unseal Vault.',
            at: '1970-01-01T00:00:01.000Z',
            firstAt: '1970-01-01T00:00:00.000Z',
            retryAt: '1970-01-01T00:00:02.000Z',
            runbook: 'docs/runbook.md#vault-sealed',
          },
        },
      ],
    })
  })
})

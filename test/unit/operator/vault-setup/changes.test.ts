import { expect, it } from 'vitest'
import { changeLine, isInStep, planJson, planText } from '../../../../agent/cli/plan-command.ts'
import { painter } from '../../../../agent/cli/terminal.ts'
import { type Change, type VaultPlan, wording } from '../../../../agent/operator/vault-setup/changes.ts'

const empty: VaultPlan = { phases: [], refusals: [], notes: [] }
const plain = painter(false, {})
const changes: readonly Change[] = [
  {
    do: 'enable',
    path: 'sys/auth/jwt',
    subject: 'auth method jwt/',
    sign: '+',
    body: { type: 'jwt', description: 'ours' },
  },
  {
    do: 'tune',
    path: 'sys/mounts/pki/tune',
    subject: 'secrets engine pki/',
    sign: '~',
    body: { description: 'ours' },
    differences: [{ field: 'description', before: 'it\u001b[31m', after: 'ours' }],
  },
  {
    do: 'write',
    path: 'pki/roles/a',
    subject: 'PKI role pki/a',
    sign: '+',
    body: {},
    differences: [
      { field: 'ttl', before: undefined, after: 60 },
      { field: 'allow_any_name', before: undefined, after: false },
      { field: 'allowed_uri_sans', before: undefined, after: [] },
    ],
  },
  {
    do: 'write',
    path: 'sys/policies/acl/p',
    subject: 'policy p',
    sign: '~',
    body: {},
    differences: [{ field: 'policy', before: '# a\nold\n', after: '# a\nnew\n' }],
  },
  {
    do: 'write',
    path: 'auth/jwt/config',
    subject: 'configuration of auth jwt',
    sign: '~',
    body: {},
    differences: [
      {
        field: 'jwks_ca_pem',
        before: '-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n',
        after: '-----BEGIN CERTIFICATE-----\nB\n-----END CERTIFICATE-----\n',
      },
    ],
  },
]
const plan: VaultPlan = { ...empty, phases: changes.map((change) => [change]), notes: ['a note'] }

it('a plan as text: each thing once, its fields, and the count; nothing that Vault holds reaches the terminal raw', () => {
  expect(planText(wording, { plan }, plain)).toBe(`+ auth method jwt/
    + type: jwt
    + description: ours
~ secrets engine pki/
    ~ description: "it\\u001b[31m" becomes ours
+ PKI role pki/a
    + ttl: 60
    + off or empty: allow_any_name, allowed_uri_sans
~ policy p
    - old
    + new
~ configuration of auth jwt
    ~ jwks_ca_pem: certificate (sha256 36659ccfa93e) becomes certificate (sha256 1b0fec57571a)

Note: a note.
Plan: 2 to add, 3 to change.
`)
})

it('a plan that is empty, refused, or waits for a certificate', () => {
  expect(planText(wording, { plan: empty }, plain)).toBe('In step: nothing to do.\n')
  expect(planText(wording, { plan: { ...empty, refusals: ['no'] } }, plain)).toBe(
    'Refused: no.\nNothing can be applied until this is solved.\n',
  )
  const waits = { ...empty, waitsFor: 'the certificate of the CA' }
  expect(planText(wording, { plan: waits }, plain)).toBe('In step, but for the certificate of the CA.\n')
  expect([empty, waits, { ...empty, refusals: ['no'] }, plan].map(isInStep)).toEqual([true, false, false, false])
})

it('the same as JSON, and a change that was made as one line', () => {
  expect(planJson(wording, { plan })).toMatchObject({
    inStep: false,
    notes: ['a note'],
    changes: [{ do: 'enable', path: 'sys/auth/jwt', subject: 'auth method jwt/' }, {}, {}, {}, {}],
  })
  const [first] = changes
  if (first !== undefined)
    expect(changeLine(wording.describe(first), plain)).toBe('+ auth method jwt/ (sys/auth/jwt)\n')
})

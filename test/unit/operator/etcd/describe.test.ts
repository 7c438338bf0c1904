import { describe, expect, it } from 'vitest'
import { changeLine, planJson as jsonOf, planText as textOf } from '../../../../agent/cli/plan-command.ts'
import { painter } from '../../../../agent/cli/terminal.ts'
import { describeChange, viewOf, wording } from '../../../../agent/operator/etcd/describe.ts'
import { prefixRange } from '../../../../agent/operator/etcd/grants.ts'
import type { EtcdPlan } from '../../../../agent/operator/etcd/plan.ts'

const grant = { access: 'read' as const, ...prefixRange('/calico/') }
const plan: EtcdPlan = {
  phases: [
    [{ do: 'add-role', role: 'r1' }],
    [
      { do: 'grant', role: 'r1', grant },
      { do: 'grant', role: 'r2', grant, before: 'readwrite' },
    ],
    [{ do: 'add-user', user: 'u1' }],
    [{ do: 'assign-role', user: 'u1', role: 'r1' }],
    [{ do: 'revoke', role: 'r2', grant: { ...grant, ...prefixRange('/') } }],
    [{ do: 'delete-user', user: 'u2' }],
    [{ do: 'delete-role', role: 'r3' }],
  ],
  refusals: [],
  notes: ['a note'],
}
const plain = painter(false, {})
type Found = Parameters<typeof viewOf>[0]
const planText = (found: Found): string => textOf(wording, viewOf(found), plain)
const planJson = (found: Found): object => jsonOf(wording, viewOf(found))

describe('a plan', () => {
  it('as text: each user and role once, what happens to it, and the count', () => {
    expect(planText({ plan, warnings: ['a warning'], defaults: [], authEnabled: true })).toBe(`+ role r1
    + grant read /calico/*
~ role r2
    ~ readwrite becomes read /calico/* (its profile needs just that)
    - revoke read /* (its profile does not need it)
+ user u1
    + add the user, without a password
    + give the role r1
- user u2
    - delete the user (provision made it, and it is not wanted any more)
- role r3

Note: a note.
Note: a warning.
Plan: 4 to add, 1 to change, 3 to take away.
`)
  })

  it('as JSON', () => {
    const json = planJson({ plan, warnings: ['a warning'], defaults: [], authEnabled: true }) as { changes: object[] }
    expect(json).toMatchObject({ inStep: false, authEnabled: true, refusals: [], notes: ['a note', 'a warning'] })
    expect(json.changes).toHaveLength(8)
    expect(json.changes[1]).toEqual({
      do: 'grant',
      role: 'r1',
      access: 'read',
      keys: '/calico/*',
      why: 'its profile needs it',
    })
  })

  it('that is empty, or refused', () => {
    const empty = { phases: [], refusals: [], notes: [] }
    expect(planText({ plan: empty, warnings: [], defaults: [], authEnabled: true })).toBe('In step: nothing to do.\n')
    expect(planText({ plan: { ...empty, refusals: ['no'] }, warnings: [], defaults: [], authEnabled: true })).toBe(
      'Refused: no.\nNothing can be applied before that is solved.\n',
    )
  })

  it('with what a fresh datastore gets', () => {
    const empty = { phases: [], refusals: [], notes: [] }
    const defaults = [{ kind: 'BGPConfiguration', name: 'default', spec: {} }] as const
    const look = { plan: empty, warnings: [], authEnabled: true, defaults }
    const key = '/calico/resources/v3/projectcalico.org/bgpconfigurations/default'
    expect(planText(look)).toBe(
      `+ key ${key}: make the BGPConfiguration {} (calico-node cannot)\n\nPlan: 1 to add, 0 to change, 0 to take away.\n`,
    )
    expect(planJson(look)).toMatchObject({ inStep: false, changes: [], defaults: [{ key, spec: {} }] })
  })

  it('says that authentication is off', () => {
    expect(planText({ plan, warnings: [], defaults: [], authEnabled: false })).toContain('authentication is off')
  })
})

it('a change that was made is one line: to whom, what, why', () => {
  expect(changeLine(describeChange({ do: 'unassign-role', user: 'u1', role: 'r1' }), plain)).toBe(
    '- user u1: take away the role r1 (the user is not to have it)\n',
  )
})

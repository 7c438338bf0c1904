/** Any state of Vault, any setup, kills at every write, two at once: on a model of Vault. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { changesOf } from '../../../../agent/operator/engine/bring-in-step.ts'
import { applySetup, examineSetup } from '../../../../agent/operator/vault-setup/apply.ts'
import { type Change, wording } from '../../../../agent/operator/vault-setup/changes.ts'
import { resourcesOf } from '../../../../agent/operator/vault-setup/resources.ts'
import { ownerOf, policyName, type Setup } from '../../../../agent/operator/vault-setup/setup.ts'
import { parseSetup } from '../../../../agent/operator/vault-setup/setup-file.ts'
import { createVaultModel, dyingAtWrite, type VaultModel } from '../../../support/vault-model.ts'

const kubernetes = 'kubernetes: { url: "https://k:6443", issuer: i }'
const yamls = [
  kubernetes,
  `${kubernetes}\nnaming: component`,
  `${kubernetes}\npki: { ca: existing }`,
  `${kubernetes}\npki: { ca: intermediate }`,
  'kubernetes: { url: "https://k:6443", caFile: ca, reviewerTokenFile: token }\nauth: { method: kubernetes, mount: login }',
  'auth: { method: approle, mount: login, nodes: [n1, n2] }\ncomponents: { calico-node: {}, x: { ttl: 1h } }',
]
const setups: readonly Setup[] = yamls.map((text) => {
  const { value, problems } = parseSetup(`cluster: c1\n${text}\n`)
  assert.deepEqual(problems, [])
  assert.ok(value)
  return value
})
const files = new Map([
  ['ca', 'CA'],
  ['token', 'a.b.c'],
])
const options = (adopt: boolean, changed: (change: Change) => void = () => {}) => ({
  adopt,
  writeSecrets: false,
  changed,
})

const mount = (type: string) =>
  fc.option(
    fc.record({
      type: fc.constantFrom(type, type, type, 'other'),
      description: fc.constantFrom(
        ownerOf({ cluster: 'c1' }),
        ownerOf({ cluster: 'c1' }),
        '',
        ownerOf({ cluster: 'c2' }),
      ),
      accessor: fc.constantFrom('acc_a', 'acc_b'),
      config: fc.constantFrom({}, { max_lease_ttl: 10 }, { max_lease_ttl: 1e12 }),
    }),
    { nil: undefined },
  )

/** A setup, and a Vault that holds a part of what it comes to, some of it changed. */
const state = fc.constantFrom(...setups).chain((setup) => {
  const resources = resourcesOf(setup)
  return fc.record({
    setup: fc.constant(setup),
    auth: mount(setup.auth.method),
    pki: mount('pki'),
    hasIssuer: fc.boolean(),
    hasKey: fc.boolean(),
    /** By resource: not there, as wanted, or changed in one field. */
    held: fc.array(fc.constantFrom('missing', 'wanted', 'changed'), {
      minLength: resources.length,
      maxLength: resources.length,
    }),
  })
})
type State = typeof state extends fc.Arbitrary<infer Value> ? Value : never

function modelOf({ setup, auth, pki, hasIssuer, hasKey, held }: State): VaultModel {
  const model = createVaultModel()
  const { content } = model
  if (auth !== undefined) content.set(`sys/auth/${setup.auth.mount}`, auth)
  if (pki !== undefined) {
    content.set(`sys/mounts/${setup.pki.mount}`, pki)
    if (hasIssuer) content.set(`${setup.pki.mount}/issuers/root`, {})
    if (hasKey) content.set(`${setup.pki.mount}/keys/calico-vault-agent`, {})
  }
  for (const [index, { path, fields, kind }] of resourcesOf(setup).entries()) {
    const isThere = kind === 'policy' || (kind === 'pki-role' ? pki !== undefined : auth !== undefined)
    if (!isThere || held[index] === 'missing') continue
    const [field = ''] = Object.keys(fields)
    content.set(path, held[index] === 'changed' ? { ...fields, [field]: 'changed by hand' } : fields)
  }
  return model
}

const snapshot = ({ content }: VaultModel): string => JSON.stringify([...content])

describe('any state and any setup', () => {
  it('plan, apply, and the plan is empty; a second apply writes nothing; what is refused changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(state, fc.boolean(), async (given, adopt) => {
        const model = modelOf(given)
        const { setup } = given
        const plan = await examineSetup(model, setup, files, options(adopt))
        for (const change of changesOf(plan)) expect(wording.describe(change).subject).not.toBe('')
        const before = snapshot(model)
        if (plan.refusals.length > 0) {
          const refused: unknown = await applySetup(model, setup, files, options(adopt)).catch(
            (error: unknown) => error,
          )
          assert.ok(refused instanceof AgentError)
          assert.equal(refused.code, 'setup-conflict')
          assert.equal(snapshot(model), before)
          return
        }
        const done: Change[] = []
        await applySetup(
          model,
          setup,
          files,
          options(adopt, (change) => done.push(change)),
        )
        expect(done).toHaveLength(changesOf(plan).length)
        const after = await examineSetup(model, setup, files, options(adopt))
        expect({ changes: changesOf(after), refusals: after.refusals }).toEqual({ changes: [], refusals: [] })
        // From now on all of it is ours: nothing needs --adopt any more.
        expect((await examineSetup(model, setup, files, options(false))).refusals).toEqual([])
        const { length } = model.writes
        await applySetup(model, setup, files, options(adopt))
        expect(model.writes.slice(length).filter((path) => !path.endsWith('/existing'))).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  it('without --adopt, nothing of somebody else is ever changed: no mount, nothing in it, no policy, no role beside ours', async () => {
    await fc.assert(
      fc.asyncProperty(state, async (given) => {
        const model = modelOf(given)
        const { setup, auth, pki } = given
        const foreign = [
          ...(auth !== undefined && auth.description !== ownerOf(setup)
            ? [`auth/${setup.auth.mount}/`, `sys/auth/${setup.auth.mount}`]
            : []),
          ...(pki !== undefined && pki.description !== ownerOf(setup) ? [`sys/mounts/${setup.pki.mount}`] : []),
        ]
        const policyOf = (path: string): unknown => {
          const component = path.slice(path.lastIndexOf('/') + 1)
          return model.content.get(`sys/policies/acl/${policyName(setup, component)}`)?.['policy']
        }
        const isUnmarked = (policy: unknown): boolean => typeof policy !== 'string' || !policy.startsWith('# ')
        const held = [...model.content].filter(([path, { policy }]) => {
          if (path.startsWith('sys/policies/')) return isUnmarked(policy)
          const isInExisting = setup.pki.ca.from === 'existing' && path.startsWith(`${setup.pki.mount}/roles/`)
          return isInExisting ? isUnmarked(policyOf(path)) : foreign.some((each) => path.startsWith(each))
        })
        await applySetup(model, setup, files, options(false)).catch(() => {})
        for (const [path, fields] of held) expect(model.content.get(path)).toBe(fields)
      }),
      { numRuns: 500 },
    )
  })

  it('login roles are written last: nobody can log in before all limits stand', async () => {
    for (const setup of setups.filter(({ pki }) => pki.ca.from !== 'existing')) {
      const model = createVaultModel()
      await applySetup(model, setup, files, options(false))
      const first = model.writes.findIndex((path) => path.startsWith('auth/'))
      const last = model.writes.findLastIndex((path) => path.includes('/roles/') || path.startsWith('sys/policies/'))
      expect(first).toBeGreaterThan(last)
    }
  })
})

describe('killed at any write', () => {
  it.each(['before', 'after'] as const)('%s it was made: the next apply completes it', async (when) => {
    for (const setup of setups.filter(({ pki }) => pki.ca.from !== 'existing')) {
      const whole = createVaultModel()
      await applySetup(whole, setup, files, options(false))
      for (let at = 1; at <= whole.writes.length; at++) {
        const model = createVaultModel()
        await applySetup(dyingAtWrite(model, at, when), setup, files, options(false)).catch(() => {})
        await applySetup(model, setup, files, options(false))
        expect(changesOf(await examineSetup(model, setup, files, options(false)))).toEqual([])
      }
    }
  })
})

describe('two at once', () => {
  it('both end well, also with one in between the steps of the other', async () => {
    const [setup] = setups
    assert.ok(setup)
    const total = 20
    for (let at = 1; at <= total; at++) {
      const model = createVaultModel()
      let writes = 0
      const interrupted = {
        read: (path: string) => model.read(path),
        async write(path: string, body: Readonly<Record<string, unknown>>) {
          if (++writes === at) await applySetup(model, setup, files, options(false))
          return await model.write(path, body)
        },
      }
      await applySetup(interrupted, setup, files, options(false))
      expect(changesOf(await examineSetup(model, setup, files, options(false)))).toEqual([])
    }
  })

  it('a server that forgets what it is told is named, with path and field', async () => {
    const [setup] = setups
    assert.ok(setup)
    const model = createVaultModel()
    const forgetful = {
      async read(path: string) {
        const { cn_validations: _, ...fields } = { ...(await model.read(path)) }
        return Object.keys(fields).length === 0 ? undefined : fields
      },
      write: (path: string, body: Readonly<Record<string, unknown>>) => model.write(path, body),
    }
    await expect(applySetup(forgetful, setup, files, options(false))).rejects.toMatchObject({
      code: 'setup-contended',
      message: expect.stringContaining('pki/roles/calico-node: cn_validations') as string,
    })
  })
})

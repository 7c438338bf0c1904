/** Agent, setup-vault, provision and manifests have one set of defaults: what one makes, the other asks for. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import {
  clusterComponents,
  defaultCommonName,
  renderTemplate,
  templateProblem,
  usesNodeUid,
} from '../../../agent/config/naming.ts'
import { parseWatchConfig } from '../../../agent/config/watch.ts'
import { desiredState } from '../../../agent/operator/etcd/desired.ts'
import { builtInProfiles, defaultComponents } from '../../../agent/operator/etcd/profile-table.ts'
import { parseSetup } from '../../../agent/operator/vault-setup/setup-file.ts'

const setup = parseSetup(
  'cluster: prod\nkubernetes: { url: "https://10.0.0.1:6443", issuer: "https://issuer" }\n',
).value
const env = { VAULT_ADDR: 'https://vault:8200', NODE_NAME: 'node1' }

it.each(Object.entries(builtInProfiles))('%s has the name that provision makes a user of', (component, { scope }) => {
  expect(defaultCommonName(component)).toBe(scope === 'cluster' ? '{component}' : '{component}:{node}')
})

it('knows no other components that run once, but the provisioner', () => {
  const profiles = Object.keys(builtInProfiles)
  expect(clusterComponents.filter((each) => !profiles.includes(each))).toEqual(['calico-provisioner'])
})

it.each(defaultComponents)(
  '%s: two variables name what setup-vault and provision make without an option',
  (component) => {
    const { auth, pki, targets } = parseConfig({ ...env, AGENT_COMPONENT: component }, 'host')
    const made = setup?.components.find(({ name }) => name === component)
    expect(auth).toMatchObject({ method: setup?.auth.method, mount: setup?.auth.mount, role: component })
    expect(pki).toEqual({ mount: setup?.pki.mount, ttlSeconds: made?.ttlSeconds })
    const [target] = targets
    expect(target?.pkiRole).toBe(component)
    expect(target?.commonName).toBe(made?.perNode ? `${component}:node1` : component)
    const choice = { profiles: builtInProfiles, components: [component], naming: 'node', nodes: ['node1'] } as const
    expect([...desiredState({ ...choice, versions: [], strict: false }).users.keys()]).toEqual([target?.commonName])
  },
)

it('provision watch has the name of the provisioner', () => {
  const config = parseWatchConfig({ ...env, ETCD_ENDPOINTS: 'https://10.0.0.1:2379' }, 'host', false)
  expect(config.agent?.targets[0]?.commonName).toBe('calico-provisioner')
})

describe('templates', () => {
  const values = { component: 'calico-node', node: 'node1', cluster: 'prod' }

  it.each([
    ['{component}:{node}', 'calico-node:node1'],
    ['{cluster}/{component}', 'prod/calico-node'],
    ['{node}{node}', 'node1node1'],
    ['calico', 'calico'],
    ['{node}:{node_uid}', 'node1:{node_uid}'],
  ])('%s is rendered as %s', (template, text) => {
    expect(templateProblem(template)).toBeUndefined()
    expect(renderTemplate(template, values)).toBe(text)
  })

  it('the uid of the node is put in where it is known', () => {
    expect(renderTemplate('{component}:{node_uid}', { ...values, nodeUid: '1-2-3' })).toBe('calico-node:1-2-3')
    expect(usesNodeUid('{node_uid}')).toBe(true)
    expect(usesNodeUid('{node}')).toBe(false)
  })

  it.each([
    ['{Node}', 'knows no {Node}'],
    ['{}', 'knows no {}'],
    ['{node', 'has a brace without its partner'],
    ['node}', 'has a brace without its partner'],
    ['{{node}}', 'has a brace without its partner'],
    ['{toString}', 'knows no {toString}'],
  ])('%s is refused', (template, problem) => {
    expect(templateProblem(template)).toContain(problem)
  })

  it('a template without a problem leaves no brace behind, and one with a brace left over has a problem', () => {
    const part = fc.constantFrom('{component}', '{node}', '{cluster}', '{node_uid}', '{', '}', '{x}', ':', 'a')
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const template = parts.join('')
        const rendered = renderTemplate(template, { ...values, nodeUid: 'uid' })
        expect(/[{}]/.test(rendered)).toBe(templateProblem(template) !== undefined)
      }),
    )
  })
})

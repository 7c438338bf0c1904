/** What docs/install.md tells users to write is rendered and read here. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../agent/config/config.ts'
import { fencedBlock, shellBlock } from '../support/documents.ts'
import { upstream } from './calico.ts'
import { kustomize, leftOut, render } from './kustomize.ts'
import { agentsOf, environmentOf, object, workload } from './objects.ts'

const root = join(import.meta.dirname, '../..')
const install = readFileSync(join(root, 'docs/install.md'), 'utf8')

describe('docs/install.md', () => {
  it("gives an administrator's one-off certificate variables that the agent takes", () => {
    const lines = shellBlock('docs/install.md', 'AGENT_COMPONENT=calicoctl').split('\n')
    const exported = lines.slice(0, 4).map((line) => line.replace(/ {2,}#.*/, ''))
    const assigned = exported.flatMap((line) => line.replace('export ', '').split(' '))
    const env = Object.fromEntries(
      assigned.map((each) => {
        const [name = '', value = ''] = each.split(/=(.*)/s)
        return [name, value.replaceAll("'", '').replace('$HOME', '/home/admin').replace('$PWD', '/home/admin')]
      }),
    )
    expect(parseConfig(env, 'laptop').targets).toEqual([
      { component: 'calicoctl', commonName: 'calicoctl', pkiRole: 'calicoctl', directory: '/home/admin/.calico-certs' },
    ])
  })

  it.each(['overlays', 'components'])('names all %s that a user may choose, and no other', (kind) => {
    const there = readdirSync(join(root, 'manifests', kind))
    const inTables = [...install.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    )
    // What every overlay is made of is nobody's choice.
    const made = ['sidecar', 'beside', 'switch', 'drop-secret', 'no-secret', 'keep-secret']
    expect(inTables).toEqual(
      expect.arrayContaining(there.filter((name) => !made.includes(name) || kind === 'overlays')),
    )
    expect([
      ...readdirSync(join(root, 'manifests/overlays')),
      ...readdirSync(join(root, 'manifests/components')),
      'calico-provisioner',
    ]).toEqual(expect.arrayContaining(inTables.filter((name) => name !== 'calicoctl')))
  })

  it.skipIf('missing' in kustomize)(`has a kustomization of a user's own that works${leftOut}`, () => {
    const objects = render('own', {
      calico: upstream,
      files: {
        'own/kustomization.yaml': fencedBlock('docs/install.md', 'yaml', 'registry.example.org').replaceAll(
          '../manifests/',
          '../',
        ),
        'own/settings.env': 'VAULT_ADDR=https://vault.site:8200\nAGENT_CLUSTER=site\n',
        'own/vault-ca.pem': '-----BEGIN CERTIFICATE-----',
        'components/etcd-ca/etcd-ca.pem': 'a CA',
      },
    })
    const { spec } = workload(objects, 'calico-node').template
    const [agent] = agentsOf(spec, 'registry.example.org/calico-vault-agent:0.1.0')
    if (agent === undefined) throw new Error('no agent of the own image')
    const config = parseConfig(environmentOf(objects, agent), 'pod')
    expect(config).toMatchObject({ cluster: 'site', etcdCaFile: '/etcd-ca/etcd-ca.pem', auth: { method: 'jwt' } })
    expect(config.vault).toMatchObject({ origins: ['https://vault.site:8200'], caPem: '-----BEGIN CERTIFICATE-----' })
    const endpoints = 'https://10.0.0.1:2379,https://10.0.0.2:2379'
    expect(object(objects, 'ConfigMap', /^calico-config$/).data?.['etcd_endpoints']).toBe(endpoints)
    expect(config.etcdProbe?.endpoints).toHaveLength(2)
  })
})

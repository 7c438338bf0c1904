import { describe, expect, test } from 'vitest'
import { parse } from './environment.ts'

const fields = { certificate: 'etcd-cert', key: 'etcd-key', ca: 'etcd-ca' }

test("by default, certificates are signed by Vault's PKI", () => {
  expect(parse().source).toEqual({ kind: 'pki' })
})

describe('kv', () => {
  test('defaults', () => {
    expect(parse({ AGENT_SOURCE: 'kv' }).source).toEqual({
      kind: 'kv',
      mount: 'secret',
      version: 2,
      paths: { 'calico-node': 'calico/node1/calico-node' },
      fields,
      pollMs: 300_000,
    })
  })

  test('a path for each target; the uid of the node is put in later', () => {
    const { source } = parse({
      AGENT_SOURCE: 'kv',
      AGENT_TARGETS: 'calico-node=/a,calico-cni=/b',
      AGENT_CLUSTER: 'prod',
      AGENT_KV_MOUNT: 'team/kv',
      AGENT_KV_PATH: '{cluster}/{node_uid}/{component}',
      AGENT_KV_VERSION: '1',
      AGENT_SOURCE_POLL: '30s',
    })
    expect(source).toMatchObject({
      mount: 'team/kv',
      version: 1,
      paths: { 'calico-node': 'prod/{node_uid}/calico-node', 'calico-cni': 'prod/{node_uid}/calico-cni' },
      pollMs: 30_000,
    })
  })

  test.each([
    ['certificate=tls.crt, key=tls.key,ca=ca.crt', { certificate: 'tls.crt', key: 'tls.key', ca: 'ca.crt' }],
    ['key=private_key', { ...fields, key: 'private_key' }],
    ['ca=', { ...fields, ca: undefined }],
  ])('AGENT_SOURCE_FIELDS=%s', (text, expected) => {
    const environment = { AGENT_SOURCE: 'kv', AGENT_SOURCE_FIELDS: text, AGENT_ETCD_CA_FILE: '/ca.pem' }
    expect(parse(environment).source).toMatchObject({ fields: expected })
  })
})

describe('file', () => {
  const environment = { AGENT_SOURCE: 'file', AGENT_SOURCE_DIR: '/etc/calico//{component}/' }

  test('a directory is enough: nothing of Vault is needed, and nothing of it is read', () => {
    const config = parse({ ...environment, VAULT_ADDR: undefined })
    expect(config).toMatchObject({ vault: undefined, auth: undefined })
    expect(config.source).toEqual({
      kind: 'file',
      directories: { 'calico-node': '/etc/calico/calico-node' },
      fields,
      pollMs: 300_000,
    })
    expect(parse({ ...environment, VAULT_ADDR: 'no URL' }).vault).toBeUndefined()
  })
})

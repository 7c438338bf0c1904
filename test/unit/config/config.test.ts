import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Config } from '../../../agent/config/config.ts'
import { refusedVariables } from '../../../agent/config/unknown-variables.ts'
import { variables } from '../../../agent/config/variables.ts'
import { parse, problemsOf, smallest } from './environment.ts'

/** The defaults that were decided; where the default depends on others, what it is for the smallest environment. */
const defaults: Config = {
  source: { kind: 'pki' },
  vault: {
    origins: ['https://vault.example.org:8200'],
    namespace: undefined,
    caFile: undefined,
    caPem: undefined,
    clientCertFile: undefined,
    clientKeyFile: undefined,
    serverName: undefined,
    redirects: true,
    caDirectory: undefined,
    proxies: undefined,
    timeoutMs: 60_000,
  },
  auth: {
    method: 'jwt',
    mount: 'jwt',
    role: 'calico-node',
    tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  },
  inlineAuth: false,
  node: 'node1',
  cluster: '',
  targets: [
    {
      component: 'calico-node',
      directory: '/calico-secrets',
      pkiRole: 'calico-node',
      commonName: 'calico-node:node1',
    },
  ],
  pki: { mount: 'pki', ttlSeconds: 86_400 },
  renewAt: 0.65,
  issuanceBudget: undefined,
  key: { type: 'ec-p256', reuse: 0 },
  files: { mode: 0o400, uid: undefined, gid: undefined },
  etcdCaFile: undefined,
  etcdProbe: undefined,
  listen: { host: '0.0.0.0', port: 9879 },
  log: { level: 'info', format: undefined },
  stateDirectory: undefined,
  bootstrapDirectory: undefined,
  hostCni: undefined,
  onPublish: undefined,
}

describe('defaults', () => {
  test('VAULT_ADDR and NODE_NAME are enough, and everything else is as the table says', () => {
    expect(parse()).toEqual(defaults)
  })

  test('outside Kubernetes the host name is the name of the node', () => {
    expect(parse({ NODE_NAME: undefined }, 'host7.example.org').node).toBe('host7.example.org')
  })

  test.each(Object.keys(variables).filter((name) => !(name in smallest)))('empty %s counts as unset', (name) => {
    expect(parse({ [name]: '' })).toEqual(defaults)
    expect(parse({ [name]: ' \n' })).toEqual(defaults)
  })

  test('white space around a value is not part of it', () => {
    expect(parse({ AGENT_COMPONENT: ' calicoctl\n' }).targets[0]?.commonName).toBe('calicoctl')
  })
})

describe('values', () => {
  test('several targets: each with its own names; the first one is the role to log in with', () => {
    const { targets, auth } = parse({ AGENT_TARGETS: ' calico-node=/calico-secrets , calico-cni=/calico-secrets-cni/' })
    expect(targets).toEqual([
      {
        component: 'calico-node',
        directory: '/calico-secrets',
        pkiRole: 'calico-node',
        commonName: 'calico-node:node1',
      },
      {
        component: 'calico-cni',
        directory: '/calico-secrets-cni',
        pkiRole: 'calico-cni',
        commonName: 'calico-cni:node1',
      },
    ])
    expect(auth).toMatchObject({ role: 'calico-node' })
  })

  test('a slash at the end of AGENT_DIR is not part of the directory', () => {
    expect(parse({ AGENT_DIR: '/calico-secrets//' }).targets[0]?.directory).toBe('/calico-secrets')
  })

  test('templates hold component, node and cluster at once, the uid of the node later', () => {
    const { targets } = parse({
      AGENT_CLUSTER: 'prod',
      AGENT_COMMON_NAME: '{cluster}/{component}:{node}:{node_uid}',
      AGENT_PKI_ROLE: '{cluster}-{component}',
    })
    expect(targets[0]).toMatchObject({ commonName: 'prod/calico-node:node1:{node_uid}', pkiRole: 'prod-calico-node' })
  })

  test.each([
    ['off', undefined],
    [':80', { host: '0.0.0.0', port: 80 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::]:9879', { host: '::', port: 9879 }],
  ])('AGENT_LISTEN=%s', (text, listen) => {
    expect(parse({ AGENT_LISTEN: text }).listen).toEqual(listen)
  })

  test.each([
    ['0400', 0o400],
    ['440', 0o440],
    ['0640', 0o640],
  ])('AGENT_FILE_MODE=%s is octal', (text, mode) => {
    expect(parse({ AGENT_FILE_MODE: text }).files.mode).toBe(mode)
  })

  test('owner and group, the TTL in seconds, the namespace without slashes around', () => {
    const config = parse({ AGENT_FILE_UID: '0', AGENT_FILE_GID: '999', AGENT_TTL: '1h30m', VAULT_NAMESPACE: '/a/b/' })
    expect(config.files).toEqual({ mode: 0o400, uid: 0, gid: 999 })
    expect(config.pki.ttlSeconds).toBe(5400)
    expect(config.vault?.namespace).toBe('a/b')
    expect(parse({ VAULT_NAMESPACE: '/' }).vault?.namespace).toBeUndefined()
  })

  test.each(['warn', 'require'] as const)('AGENT_ETCD_PROBE=%s with the endpoints of Calico', (mode) => {
    const endpoints = 'https://10.0.0.1:2379, https://[::1]:2379/ ,https://etcd-0.example.org:443,https://10.0.0.1:2379'
    expect(parse({ AGENT_ETCD_PROBE: mode, ETCD_ENDPOINTS: endpoints }).etcdProbe).toEqual({
      mode,
      endpoints: ['https://10.0.0.1:2379', 'https://[::1]:2379', 'https://etcd-0.example.org:443'],
    })
  })

  test('without the probe, whatever Calico has in ETCD_ENDPOINTS is not looked at', () => {
    expect(parse({ ETCD_ENDPOINTS: 'http://etcd, x' }).etcdProbe).toBeUndefined()
  })

  test("the CNI plugin's copy is of calico-cni where nothing else is said", () => {
    const two = { AGENT_TARGETS: 'calico-node=/a,calico-cni=/b', AGENT_HOST_CNI_DIR: '/host/etc/cni/net.d/' }
    expect(parse(two).hostCni).toEqual({ directory: '/host/etc/cni/net.d', component: 'calico-cni' })
    expect(parse({ AGENT_HOST_CNI_DIR: '/host', AGENT_HOST_CNI_COMPONENT: 'calico-node' }).hostCni?.component).toBe(
      'calico-node',
    )
  })

  test('nobody is told of a publication unless somebody is named', () => {
    expect(parse({}).onPublish).toBeUndefined()
    expect(parse({ AGENT_ON_PUBLISH: 'SIGHUP:/run/felix.pid' }).onPublish).toEqual({
      action: { kind: 'signal', signal: 'SIGHUP', pidFile: '/run/felix.pid' },
      when: 'every',
      timeoutMs: 30_000,
    })
    const given = { AGENT_ON_PUBLISH: '/bin/true', AGENT_ON_PUBLISH_WHEN: 'ca-only', AGENT_ON_PUBLISH_TIMEOUT: '2m' }
    expect(parse(given).onPublish).toMatchObject({ when: 'ca-only', timeoutMs: 120_000 })
  })

  test.each([
    ['1', 1],
    ['1000', 1000],
    ['off', Number.POSITIVE_INFINITY],
  ])('AGENT_ISSUANCE_BUDGET=%s', (text, budget) => {
    expect(parse({ AGENT_ISSUANCE_BUDGET: text }).issuanceBudget).toBe(budget)
  })

  test("as in Vault's CLI, VAULT_CACERT_BYTES wins over VAULT_CACERT", () => {
    const caPem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----'
    expect(parse({ VAULT_CACERT: '/ca.pem', VAULT_CACERT_BYTES: caPem }).vault).toMatchObject({
      caFile: undefined,
      caPem,
    })
  })
})

describe('names that are not known', () => {
  test('are refused with the nearest known one', () => {
    expect(problemsOf({ AGENT_TLL: '1h' })).toEqual([
      'AGENT_TLL is not a variable of this agent; did you mean AGENT_TTL?',
    ])
    expect(problemsOf({ AGENT_XYZXYZXYZXYZ: '1' })).toEqual(['AGENT_XYZXYZXYZXYZ is not a variable of this agent'])
    expect(problemsOf({ AGENT_LISTEN_PORT: '9879' })[0]).toMatch(/^AGENT_LISTEN_PORT is not a variable/)
  })

  test('are left alone where they are not ours', () => {
    expect(problemsOf({ CALICO_TTL: '1', VAULT_FORMAT: 'json', PATH: '/bin', agent_ttl: '1' })).toEqual([])
  })

  test.each(Object.keys(refusedVariables))('%s is refused unless it is empty', (name) => {
    expect(problemsOf({ [name]: 'false' })).toHaveLength(1)
    expect(problemsOf({ [name]: 'false' })[0]).toMatch(new RegExp(`^${name} is (refused|not supported)[:;] `))
    expect(problemsOf({ [name]: ' ' })).toEqual([])
  })

  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('%s is a name like any other', (name) => {
    expect(problemsOf(Object.fromEntries([[name, '1']]))).toEqual([])
  })

  test('that Kubernetes makes for a Service called agent-web are left alone', () => {
    const links = {
      AGENT_WEB_SERVICE_HOST: '10.0.0.1',
      AGENT_WEB_SERVICE_PORT: '80',
      AGENT_WEB_SERVICE_PORT_HTTP: '80',
      AGENT_WEB_PORT: 'tcp://10.0.0.1:80',
      AGENT_WEB_PORT_80_TCP: 'tcp://10.0.0.1:80',
      AGENT_WEB_PORT_80_TCP_PROTO: 'tcp',
      AGENT_WEB_PORT_80_TCP_PORT: '80',
      AGENT_WEB_PORT_80_TCP_ADDR: '10.0.0.1',
    }
    expect(problemsOf(links)).toEqual([])
  })
})

describe('the result', () => {
  test('is frozen to its depth', () => {
    const unfrozen: unknown[] = []
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) unfrozen.push(value)
      for (const each of Object.values(value)) visit(each)
    }
    visit(parse({ AGENT_TARGETS: 'a=/a,b=/b', AGENT_AUTH_METHOD: 'token', VAULT_TOKEN: 'hvs.secret' }))
    expect(unfrozen).toEqual([])
  })

  test('never prints the token, however it is printed', () => {
    const config = parse({ AGENT_AUTH_METHOD: 'token', VAULT_TOKEN: 'hvs.secret' })
    for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config)]) {
      expect(text).not.toContain('hvs.secret')
    }
    expect(config.auth).toMatchObject({ method: 'token' })
  })

  test('problems never hold the token', () => {
    const problems = problemsOf({ VAULT_TOKEN: 'hvs.secret\nvalue', VAULT_ADDR: 'https://user:hvs.secret@vault' })
    expect(problems).not.toHaveLength(0)
    expect(problems.join('\n')).not.toContain('hvs.secret')
  })
})

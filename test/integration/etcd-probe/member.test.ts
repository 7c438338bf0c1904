/** Proves what the probe finds out from one real etcd member about a certificate: every answer that etcd tells apart. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { createCa, type LeafOptions, type TestCa } from '../../support/certificates.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type RealEtcd, type RealEtcdOptions, startRealEtcd } from '../../support/real-etcd.ts'
import { ask } from './places.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''

describe.skipIf('missing' in program)(`one member of a real etcd${leftOut}`, () => {
  let etcd: RealEtcd
  beforeAll(async () => {
    etcd = await startRealEtcd()
    await addUsers(etcd)
    await etcdAuth(await etcd.client('root')).enable()
  })
  afterAll(() => etcd?.stop())

  it.each([
    ['a user with the keys of Calico', 'calico-node:node1', 'accepted', /: accepted as calico-node:node1/],
    ['a user with other keys', 'kube-apiserver', 'accepted', /as kube-apiserver with the role registry$/],
    ['a user who may only write', 'writer', 'accepted', /as writer with the role writing$/],
    ['the second role alone has grants', 'second', 'accepted', /as second with the role registry$/],
    ['root', 'root', 'accepted', /accepted as root/],
    ['no such user', 'calico-node:node2', 'etcd-unknown-user', /there is no user calico-node:node2$/],
    ['a user in another case', 'Calico-Node:node1', 'etcd-unknown-user', /there is no user Calico-Node:node1$/],
    ['a user without a role', 'without-role', 'etcd-permission-denied', /without-role has no role$/],
    ['a user whose role grants nothing', 'empty', 'etcd-permission-denied', /empty has nothing without any grant$/],
  ] as const)('%s', async (_, user, code, detail) => {
    const found = await ask([etcd.endpoint], await etcd.client(user), user)
    expect(found).toEqual({ code, detail: expect.stringMatching(detail) })
    expect(found.detail.startsWith(`${etcd.endpoint}: `)).toBe(true)
  })

  it.each<[string, LeafOptions]>([
    ['of another CA', {}],
    ['that has expired', { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) }],
    ['that is only for servers', { server: true }],
  ])('a certificate %s is rejected: every time, also the fifth', async (what, leaf) => {
    const ca = await createCa({ commonName: 'another CA' })
    const options = { commonName: 'calico-node:node1', ...leaf }
    if (what !== 'of another CA') await etcd.restart({ clientCaPem: ca.certificatePem })
    const { certificatePem, privateKeyPem } = await ca.issue(options)
    const identity = { ca: etcd.caPem, cert: certificatePem, key: privateKeyPem }
    for (let round = 0; round < 5; round++) {
      expect(await ask([etcd.endpoint], identity, 'calico-node:node1')).toEqual({
        code: 'etcd-rejected-certificate',
        detail: expect.stringMatching(/alert .*\(ERR_SSL_.*ALERT_/),
      })
    }
  })

  it('a server of another CA is not trusted', async () => {
    const other = await createCa({ commonName: 'another CA' })
    const identity = { ...(await etcd.client('calico-node:node1')), ca: other.certificatePem }
    expect(await ask([etcd.endpoint], identity, 'calico-node:node1')).toEqual({
      code: 'etcd-untrusted-server',
      detail: expect.stringMatching(/: unable to (get|verify) [a-z ]+ certificate \(UNABLE_TO_[A-Z_]+\)$/),
    })
  })

  it('another user than that of the certificate was named: something stands between', async () => {
    expect(await ask([etcd.endpoint], await etcd.client('without-role'), 'calico-node:node1')).toMatchObject({
      code: 'etcd-ignores-certificate',
    })
  })
})

describe.skipIf('missing' in program)(`a real etcd that is set up in another way${leftOut}`, () => {
  async function start(options: RealEtcdOptions): Promise<RealEtcd> {
    const etcd = await startRealEtcd(options)
    onTestFinished(() => etcd.stop())
    await addUsers(etcd)
    return etcd
  }
  const withServer = (ca: TestCa, names: LeafOptions): RealEtcdOptions => ({
    serverCa: { certificatePem: ca.certificatePem, issue: (leaf) => ca.issue({ ...leaf, ...names }) },
  })

  it('without authentication: everybody is accepted', async () => {
    const etcd = await start({})
    expect(await ask([etcd.endpoint], await etcd.client('nobody'), 'nobody')).toMatchObject({ code: 'accepted' })
  })

  it('with authentication, but without --client-cert-auth: the certificate counts for nothing', async () => {
    const etcd = await start({ clientCertAuth: false })
    await etcdAuth(await etcd.client('root')).enable()
    expect(await ask([etcd.endpoint], await etcd.client('calico-node:node1'), 'calico-node:node1')).toMatchObject({
      code: 'etcd-ignores-certificate',
      detail: expect.stringContaining('etcdserver: user name is empty (gRPC 3)'),
    })
  })

  it.each<[string, LeafOptions, RegExp]>([
    ['for another address', { ipAddresses: ['127.0.0.2'] }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ['with a common name only', { commonName: '127.0.0.1', ipAddresses: [], dnsNames: [] }, /no subject alternative/],
    ['that is only for clients', { server: false, client: true }, /INVALID_PURPOSE|unsuitable/],
  ])('with a server certificate %s: not trusted, as Go would not', async (_, names, detail) => {
    const ca = await createCa({ commonName: 'etcd CA' })
    const etcd = await start({})
    await etcd.restart(withServer(ca, names))
    expect(await ask([etcd.endpoint], await etcd.client('calico-node:node1'), 'calico-node:node1')).toEqual({
      code: 'etcd-untrusted-server',
      detail: expect.stringMatching(detail),
    })
  })

  it('with a server certificate of an intermediate, which alone is in the CA set: trusted, as Go would', async () => {
    const root = await createCa({ commonName: 'root' })
    const issuer = await createCa({ commonName: 'intermediate', issuer: root })
    const etcd = await start({})
    await etcd.restart(withServer(issuer, {}))
    expect(await ask([etcd.endpoint], await etcd.client('calico-node:node1'), 'calico-node:node1')).toMatchObject({
      code: 'accepted',
    })
  })
})

/** Before authentication is enabled, anybody may. */
async function addUsers(etcd: RealEtcd): Promise<void> {
  const auth = etcdAuth(await etcd.client('root'))
  for (const role of ['calico', 'registry', 'writing', 'nothing']) await auth.addRole(role)
  await auth.grantPrefix('calico', 'read', '/calico/resources/v3/projectcalico.org/')
  await auth.grantPrefix('registry', 'readwrite', '/registry/')
  await auth.grantPrefix('writing', 'write', '/x/')
  const roles = {
    'calico-node:node1': ['calico'],
    'kube-apiserver': ['registry'],
    writer: ['writing'],
    second: ['nothing', 'registry'],
    'without-role': [],
    empty: ['nothing'],
  }
  for (const [user, each] of Object.entries(roles)) {
    await auth.addUser(user)
    for (const role of each) await auth.grantRole(user, role)
  }
}

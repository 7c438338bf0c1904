/**
 * What a stolen token, pod or node gets out of a Vault that `setup-vault apply` has set up: nothing but the names of its own.
 * docs/security.md names these tests.
 */
import { X509Certificate } from 'node:crypto'
import { beforeAll, expect, it } from 'vitest'
import { createCsr } from '../../support/csr.ts'
import { createServiceAccountIssuer, type ServiceAccountTokenOptions } from '../../support/service-account.ts'
import type { VaultAnswer } from '../../support/vault-api.ts'
import { deniedParameters } from '../vault-contract/names.ts'
import { createOperator, describeSetup, jwtYaml } from './rig.ts'

const own = 'calico-node:node1'

const otherNames = [
  'calico-node:node2',
  'calico-node:node11',
  'calico-node:',
  'calico-node',
  'calico-kube-controllers',
  'root',
  'root@calico-node:node1',
  'x.calico-node:node1',
  '*.calico-node:node1',
  '*',
  'localhost',
  'calico-node:node1.',
  'calico-node:node1\n',
]

const closedPaths = [
  'pki-one/issue/calico-node',
  'pki-one/sign-verbatim',
  'pki-one/sign-verbatim/calico-node',
  'pki-one/issuer/default/sign/calico-node',
  'pki-one/issuer/default/sign-verbatim',
  'pki-one/root/sign-intermediate',
  'pki-one/sign/calico-kube-controllers',
  'pki-one/sign/calicoctl',
  'pki-one/roles/calico-node',
  'pki-one/revoke',
  'pki-two/sign/calico-node',
  'auth/jwt-one/role/calico-node',
  'sys/policies/acl/calico-vault-agent-one-calico-node',
  'auth/token/create',
]

const refusedLogins: Readonly<Record<string, readonly [ServiceAccountTokenOptions, RegExp]>> = {
  'bound to a Node object, for any node, instead of a pod': [{ node: 'node2', omit: ['pod'] }, /pod\/name" is missing/],
  'bound to nothing': [{ omit: ['pod', 'node'] }, /node\/name" not found/],
  'of another pod of the namespace': [{ pod: 'web-1' }, /does not match any associated bound claim/],
  'of a service account for which calico-node may create tokens': [
    { serviceAccount: 'calico-cni-plugin', pod: 'calico-node-1' },
    /invalid subject/,
  ],
  'of another namespace': [{ namespace: 'default' }, /invalid subject/],
  'for the API server': [{ audience: 'https://kubernetes.default.svc' }, /invalid audience/],
  'of another issuer': [{ issuer: 'https://elsewhere' }, /invalid issuer/],
  'that has expired': [{ startsInSeconds: -3600, expiresInSeconds: -90 }, /token is expired/],
  'that somebody else has signed': [{ isForged: true }, /no known key successfully validated/],
  'without a signature': [{ algorithm: 'none' }, /no known key successfully validated/],
}

describeSetup('a Vault set up by setup-vault apply', (rig) => {
  let csr = ''
  /** Two clusters with keys of their own and nodes of the same names. */
  const second = createServiceAccountIssuer()
  beforeAll(async () => {
    csr = (await createCsr()).csrPem
    for (const each of [rig(), { ...rig(), accounts: second }]) {
      const cluster = each.accounts === second ? 'two' : 'one'
      const { code, stderr } = await createOperator(each, jwtYaml(cluster, each)).run('apply', '--yes')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
  })

  const login = async (
    options: ServiceAccountTokenOptions = {},
    { cluster = 'one', role = 'calico-node', accounts = rig().accounts } = {},
  ): Promise<VaultAnswer> =>
    await rig().api.call('POST', `auth/jwt-${cluster}/login`, { role, jwt: accounts.token(options) })
  const tokenOf = async (...parameters: Parameters<typeof login>): Promise<string> => {
    const { body } = await login(...parameters)
    return body.auth?.client_token ?? ''
  }
  const sign = async (token: string, commonName: string, more: object = {}, path = 'pki-one/sign/calico-node') =>
    await rig().api.call(
      'POST',
      path,
      { csr, common_name: commonName, exclude_cn_from_sans: true, ttl: '24h', ...more },
      { token },
    )
  const leafOf = ({ body }: VaultAnswer): X509Certificate => new X509Certificate(String(body.data?.['certificate']))

  it('a node gets its own name for a day at the most, and the certificate of a client', async () => {
    const token = await tokenOf()
    const leaf = leafOf(await sign(token, own, { ttl: '8760h' }))
    expect(leaf.subject).toBe(`CN=${own}`)
    expect(leaf.subjectAltName).toBeUndefined()
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(leaf.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(24 * 3_600_000)
    expect((await sign(token, 'calico-cni:node1', {}, 'pki-one/sign/calico-cni')).status).toBe(200)
  })

  it('what runs once in the cluster gets its plain name, on whatever node it runs', async () => {
    const account = { serviceAccount: 'calico-kube-controllers' }
    for (const node of ['node1', 'node2']) {
      const token = await tokenOf(
        { ...account, node, pod: 'calico-kube-controllers-1' },
        { role: 'calico-kube-controllers' },
      )
      const path = 'pki-one/sign/calico-kube-controllers'
      expect(leafOf(await sign(token, 'calico-kube-controllers', {}, path)).subject).toBe('CN=calico-kube-controllers')
      for (const name of [own, 'calico-kube-controllers:node1', 'root']) {
        expect((await sign(token, name, {}, path)).status).toBe(400)
      }
      expect((await sign(token, own)).status).toBe(403)
    }
  })

  it.each(otherNames)('the name %j is refused to node1', async (name) => {
    const { status, body } = await sign(await tokenOf(), name)
    expect({ status, errors: body.errors }).toEqual({
      status: 400,
      errors: [`common name ${name} not allowed by this role`],
    })
  })

  it('a name in upper case is signed as it is asked for: the gate and etcd compare every byte', async () => {
    expect(leafOf(await sign(await tokenOf(), own.toUpperCase())).subject).toBe('CN=CALICO-NODE:NODE1')
  })

  it.each(deniedParameters)('the parameter of %j is refused', async (parameters) => {
    expect((await sign(await tokenOf(), own, parameters)).status).toBe(403)
  })

  it.each(closedPaths)('%s is closed', async (path) => {
    expect((await sign(await tokenOf(), own, {}, path)).status).toBe(403)
  })

  it.each(Object.entries(refusedLogins))('a token %s does not log in', async (_, [options, text]) => {
    const { status, body } = await login(options)
    expect({ status, errors: body.errors }).toEqual({ status: 400, errors: [expect.stringMatching(text)] })
  })

  it('a login of one component is no login of another', async () => {
    const answer = await login({}, { role: 'calico-kube-controllers' })
    expect(answer.status).toBe(400)
    expect(await login({}, { role: 'calico-cni' })).toMatchObject({ status: 400 })
  })

  it('two nodes that take turns never get each other’s name', async () => {
    const [first, other] = [await tokenOf({ node: 'node1' }), await tokenOf({ node: 'node2' })]
    for (let round = 0; round < 20; round++) {
      await tokenOf({ node: round % 2 === 0 ? 'node1' : 'node2' })
      const answers = await Promise.all([
        sign(first, 'calico-node:node1'),
        sign(first, 'calico-node:node2'),
        sign(other, 'calico-node:node1'),
        sign(other, 'calico-node:node2'),
      ])
      expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 200])
    }
  })

  it('node1 of another cluster gets nothing here, not even with a policy that was given to it by mistake', async () => {
    const { api } = rig()
    expect((await login({}, { accounts: second })).status).toBe(400)
    const there = { cluster: 'two', accounts: second }
    const token = await tokenOf({}, there)
    expect((await sign(token, own, {}, 'pki-two/sign/calico-node')).status).toBe(200)
    expect((await sign(token, own)).status).toBe(403)
    const role = 'auth/jwt-two/role/calico-node'
    const { body } = await api.root('GET', role)
    await api.root('POST', role, { ...body.data, token_policies: ['calico-vault-agent-one-calico-node'] })
    // The name in the role is that of an alias of the other auth mount, which this entity does not have.
    const { status, body: refusal } = await sign(await tokenOf({}, there), own)
    expect({ status, errors: refusal.errors }).toEqual({
      status: 400,
      errors: [`common name ${own} not allowed by this role`],
    })
    await api.root('POST', role, body.data ?? {})
  })

  it('the token of a login is a batch token for 15 minutes, with no policy but those of its components', async () => {
    const { body } = await login()
    expect(body.auth).toMatchObject({
      token_type: 'batch',
      lease_duration: 900,
      renewable: false,
      orphan: true,
      policies: ['calico-vault-agent-one-calico-cni', 'calico-vault-agent-one-calico-node'],
    })
    const token = body.auth?.client_token ?? ''
    for (const path of [
      'sys/mounts',
      'auth/token/lookup-self',
      'pki-one/roles/calico-node',
      'pki-one/certs?list=true',
    ]) {
      expect((await rig().api.call('GET', path, undefined, { token })).status).toBe(403)
    }
  })
})

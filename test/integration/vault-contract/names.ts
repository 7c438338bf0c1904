/** Owns the contract of who may have which common name, and of what a policy keeps out of a sign request. */
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type Contract,
  type Contracted,
  outcome,
  policyDenied,
  sign,
  tokenDenied,
  tokenOf,
  wanted,
} from './contract.ts'

const own = 'calico-node:node1'

const refused = [
  'calico-node:node2',
  'calico-node:node11',
  'calico-node:node',
  'root',
  'root@calico-node:node1',
  '*.calico-node:node1',
  'localhost',
  'x.calico-node:node1',
  'calico-node:node1.',
  'calico-node:node1 ',
  'calico-node:node1\u0000',
  'calico-node:node1\n',
  'calico-node:node1/CN=root',
  'calico-cni:node1',
]

/** Parameters that the policy does not name. */
export const deniedParameters: readonly object[] = [
  { not_after: '2099-01-01T00:00:00Z' },
  { NOT_AFTER: '2099-01-01T00:00:00Z' },
  { not_before: '2020-01-01T00:00:00Z' },
  { alt_names: 'root' },
  { ip_sans: '10.0.0.1' },
  { uri_sans: 'spiffe://x/y' },
  { other_sans: '1.3.6.1.4.1.311.20.2.3;utf8:root' },
  { user_ids: 'root' },
  { serial_number: '1' },
  { issuer_ref: 'default' },
]

export function nameCases(contract: Contracted): void {
  test('a node gets its own name, and a leaf for clients only', async () => {
    const token = await tokenOf(contract(), 'node1')
    const { body } = await sign(contract(), token, own)
    const leaf = new X509Certificate(String(body.data?.['certificate']))
    expect(leaf.subject).toBe(`CN=${own}`)
    expect(leaf.subjectAltName).toBeUndefined()
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(leaf.ca).toBe(false)
    expect(outcome(await sign(contract(), token, 'calico-cni:node1', {}, 'pki/sign/calico-cni'))).toEqual(
      wanted({ status: 200 }),
    )
  })

  test.each(refused)('the name %j is refused', async (name) => {
    const token = await tokenOf(contract(), 'node1')
    expect(outcome(await sign(contract(), token, name))).toEqual(
      wanted({
        status: 400,
        error: `common name ${name} not allowed by this role`,
      }),
    )
  })

  test('case is ignored, beyond ASCII too, and the name is signed as it was asked for', async () => {
    const token = await tokenOf(contract(), 'node1')
    for (const name of ['CALICO-NODE:NODE1', 'Calico-Node:node1']) {
      const { body } = await sign(contract(), token, name)
      expect(new X509Certificate(String(body.data?.['certificate'])).subject).toBe(`CN=${name}`)
    }
    const controllers = await tokenOfControllers(contract())
    const name = 'calico-\u212Aube-controllers:node1'
    const answer = await sign(contract(), controllers, name, {}, 'pki/sign/calico-kube-controllers')
    expect(outcome(answer)).toEqual(wanted({ status: 200 }))
    expect(new X509Certificate(String(answer.body.data?.['certificate'])).subject).toBe(`CN=${name}`)
  })

  test('names over 64 characters are signed whole', async () => {
    for (const length of [53, 63, 253]) {
      const node = `n${'x'.repeat(length - 1)}`
      const token = await tokenOf(contract(), node)
      const { body } = await sign(contract(), token, `calico-node:${node}`)
      expect(new X509Certificate(String(body.data?.['certificate'])).subject).toBe(`CN=calico-node:${node}`)
    }
  })

  test('a long name that is not excluded from the SANs is refused', async () => {
    const node = 'x'.repeat(60)
    const token = await tokenOf(contract(), node)
    const answer = await sign(contract(), token, `calico-node:${node}`, { exclude_cn_from_sans: false })
    expect(outcome(answer)).toEqual(wanted({ status: 400, error: /^idna: invalid label "calico-node:x+"$/ }))
  })

  test('an empty name is refused, the root token has none', async () => {
    const token = await tokenOf(contract(), 'node1')
    expect(outcome(await sign(contract(), token, ''))).toEqual(
      wanted({ status: 400, error: /^the common_name field is required/ }),
    )
    expect(outcome(await sign(contract(), contract().vault.rootToken, own))).toEqual(
      wanted({
        status: 400,
        error: `common name ${own} not allowed by this role`,
      }),
    )
  })

  test('two nodes that take turns never get each other’s name', async () => {
    const [first, second] = [await tokenOf(contract(), 'node1'), await tokenOf(contract(), 'node2')]
    for (let round = 0; round < 20; round++) {
      await tokenOf(contract(), round % 2 === 0 ? 'node1' : 'node2')
      const answers = await Promise.all([
        sign(contract(), first, 'calico-node:node1'),
        sign(contract(), first, 'calico-node:node2'),
        sign(contract(), second, 'calico-node:node1'),
        sign(contract(), second, 'calico-node:node2'),
      ])
      expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 200])
    }
  })

  test('counter-example: with user_claim=sub the last login decides for all nodes', async () => {
    await shareOneAlias(contract())
    const first = await tokenOf(contract(), 'node1', 'shared', 'jwt-sub')
    expect(outcome(await sign(contract(), first, 'shared:node1', {}, 'pki/sign/shared'))).toEqual(
      wanted({ status: 200 }),
    )
    await tokenOf(contract(), 'node2', 'shared', 'jwt-sub')
    expect(outcome(await sign(contract(), first, 'shared:node2', {}, 'pki/sign/shared'))).toEqual(
      wanted({ status: 200 }),
    )
    expect(outcome(await sign(contract(), first, 'shared:node1', {}, 'pki/sign/shared'))).toEqual(
      wanted({
        status: 400,
        error: 'common name shared:node1 not allowed by this role',
      }),
    )
  })

  describe('the policy', () => {
    test.each(deniedParameters)('keeps %j out', async (parameters) => {
      const token = await tokenOf(contract(), 'node1')
      expect(outcome(await sign(contract(), token, own, parameters))).toEqual(wanted(policyDenied))
    })

    test('wants a request and a name', async () => {
      const token = await tokenOf(contract(), 'node1')
      const { api, csr } = contract()
      expect(outcome(await api.call('POST', 'pki/sign/calico-node', { csr }, { token }))).toEqual(wanted(policyDenied))
      expect(outcome(await api.call('POST', 'pki/sign/calico-node', { common_name: own }, { token }))).toEqual(
        wanted(policyDenied),
      )
    })

    test.each([
      'pki/issue/calico-node',
      'pki/sign-verbatim',
      'pki/sign/calico-kube-controllers',
      'pki/issuer/default/sign/calico-node',
      'pki/revoke',
      'pki/sign/nope',
      'nope/sign/calico-node',
    ])('keeps %s closed', async (path) => {
      const token = await tokenOf(contract(), 'node1')
      expect(outcome(await sign(contract(), token, own, {}, path))).toEqual(wanted(policyDenied))
    })

    test('the query string of a POST is ignored', async () => {
      const token = await tokenOf(contract(), 'node1')
      const answer = await sign(contract(), token, own, {}, 'pki/sign/calico-node?alt_names=root')
      expect(outcome(answer)).toEqual(wanted({ status: 200 }))
      expect(new X509Certificate(String(answer.body.data?.['certificate'])).subjectAltName).toBeUndefined()
    })

    test('a token that is absent or unknown is told so', async () => {
      for (const token of ['', 'nope', 'hvs.nope', 'hvb.nope']) {
        expect(outcome(await sign(contract(), token, own))).toEqual(wanted(tokenDenied))
      }
    })
  })
}

async function tokenOfControllers(contract: Contract): Promise<string> {
  const { api, accounts } = contract
  const serviceAccount = 'calico-kube-controllers'
  const jwt = accounts.token({ serviceAccount })
  const { body } = await api.call('POST', 'auth/jwt/login', { role: serviceAccount, jwt })
  return body.auth?.client_token ?? ''
}

async function shareOneAlias({ api, accounts }: Contract): Promise<void> {
  await api.root('POST', 'sys/auth/jwt-sub', { type: 'jwt' })
  const mounts = (await api.root('GET', 'sys/auth')).body.data as Record<string, { accessor: string }>
  const accessor = mounts['jwt-sub/']?.accessor ?? ''
  await api.root('POST', 'auth/jwt-sub/config', { jwt_validation_pubkeys: [accounts.publicKeyPem] })
  await api.root('POST', 'auth/jwt-sub/role/shared', {
    role_type: 'jwt',
    bound_audiences: ['vault-calico'],
    user_claim: 'sub',
    claim_mappings: { '/kubernetes.io/node/name': 'node_name' },
    token_type: 'batch',
    token_policies: ['shared'],
  })
  await api.root('POST', 'pki/roles/shared', {
    allowed_domains: [`shared:{{identity.entity.aliases.${accessor}.metadata.node_name}}`],
    allowed_domains_template: true,
    allow_bare_domains: true,
    enforce_hostnames: false,
    key_type: 'ec',
    use_csr_common_name: false,
  })
  const policy = JSON.stringify({ path: { 'pki/sign/shared': { capabilities: ['update'] } } })
  await api.root('PUT', 'sys/policies/acl/shared', { policy })
}

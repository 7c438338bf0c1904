import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loginsOf } from '../../../../agent/operator/vault-setup/setup.ts'
import { parseSetup } from '../../../../agent/operator/vault-setup/setup-file.ts'

const kubernetes = 'kubernetes: { url: "https://k:6443", issuer: i }'

function good(text: string) {
  const { value, problems } = parseSetup(text)
  expect(problems).toEqual([])
  if (value === undefined) throw new Error('no setup')
  return value
}

describe('a good file', () => {
  it('needs the cluster and its API server, and has defaults for the rest', () => {
    const { auth, pki, components } = good(`cluster: prod\n${kubernetes}`)
    expect(auth).toMatchObject({
      method: 'jwt',
      mount: 'jwt',
      audience: 'vault-calico',
      tokenTtlSeconds: 900,
      keys: { url: 'https://k:6443/openid/v1/jwks' },
    })
    expect(pki).toMatchObject({ mount: 'pki', keyType: 'ec-p256', ca: { from: 'root', ttlSeconds: 315_360_000 } })
    expect(
      components.map(({ name, perNode, login, pods, ttlSeconds }) => [name, perNode, login, pods, ttlSeconds]),
    ).toEqual([
      ['calico-node', true, 'calico-node', 'calico-node-*', 86_400],
      ['calico-cni', true, 'calico-node', 'calico-cni-*', 86_400],
      ['calico-kube-controllers', false, 'calico-kube-controllers', 'calico-kube-controllers-*', 86_400],
      ['calicoctl', false, 'calicoctl', 'calicoctl-*', 86_400],
    ])
  })

  it('may be JSON, name every field, and give durations in seconds', () => {
    const setup = good(
      JSON.stringify({
        cluster: 'c',
        kubernetes: { jwksUrl: 'https://keys/jwks/', issuer: 'i', audience: 'a', caFile: '/ca' },
        auth: { mount: 'team/jwt', tokenTtl: 600 },
        pki: {
          mount: 'team/pki',
          ca: 'intermediate',
          certificateFile: 'c.pem',
          caTtl: '8760h',
          keyType: 'rsa-4096',
          ttl: '1h',
        },
        components: {
          own: { scope: 'node', namespace: 'n', serviceAccount: 's', pods: 'p-*', ttl: 60 },
          more: { login: 'own' },
        },
      }),
    )
    expect(setup.auth).toMatchObject({ mount: 'team/jwt', tokenTtlSeconds: 600, keys: { url: 'https://keys/jwks' } })
    expect(setup.components[0]).toEqual({
      name: 'own',
      perNode: true,
      login: 'own',
      namespace: 'n',
      serviceAccount: 's',
      pods: 'p-*',
      ttlSeconds: 60,
    })
    expect([...loginsOf(setup)].map(([{ name }, signs]) => [name, signs.map((each) => each.name)])).toEqual([
      ['own', ['own', 'more']],
    ])
  })

  it('a component may stand there bare, whatever its name', () => {
    const { components } = good(`cluster: c\n${kubernetes}\ncomponents:\n  calico-node:\n  constructor:\n`)
    expect(components.map(({ name, login, perNode }) => [name, login, perNode])).toEqual([
      ['calico-node', 'calico-node', true],
      ['constructor', 'constructor', false],
    ])
  })

  it('with naming: component, no name has a node in it', () => {
    expect(good(`cluster: c\n${kubernetes}\nnaming: component`).components.some(({ perNode }) => perNode)).toBe(false)
  })
})

describe('a bad file', () => {
  const rest = `\n${kubernetes}`
  it.each([
    ['', '1:1 the file must be a map of cluster, kubernetes, auth, pki, naming, components'],
    ['cluster: [', '1:11 Flow'],
    [`cluster: a\ncluster: b${rest}`, '2:1 Map keys must be unique'],
    [kubernetes, '1:1 has no cluster'],
    [`cluster: ""${rest}`, '1:10 cluster is ""'],
    ['cluster: c\nkubernetes: {}', '2:13 kubernetes has no issuer'],
    ['cluster: c\nkubernetes: { issuer: i }', '2:13 kubernetes needs url (the API server), jwksUrl or publicKeyFiles'],
    ['cluster: c\nkubernetes: { issuer: i, url: "http://k" }', '2:31 url is "http://k"; it must be a URL such as'],
    ['cluster: c\nkubernetes: { issuer: i, publicKeyFiles: [] }', '2:42 publicKeyFiles names no file'],
    [
      'cluster: c\nkubernetes: { issuer: i, url: "https://k", publicKeyFiles: [a] }',
      'publicKeyFiles excludes url and jwksUrl',
    ],
    [`cluster: c${rest}\nauth: { method: ldap }`, '3:17 method must be one of jwt, kubernetes, approle'],
    [`cluster: c${rest}\nauth: { mount: /jwt/ }`, '3:16 mount is "/jwt/"; it must be a path'],
    [`cluster: c${rest}\nauth: { nodes: [a] }`, '3:16 nodes has no effect with the method jwt'],
    [`cluster: c${rest}\nauth: { method: kubernetes }`, 'kubernetes (with the method kubernetes) has no "issuer"'],
    ['cluster: c\nauth: { method: approle }', '2:17 the method approle needs auth.nodes'],
    ['cluster: c\nauth: { method: approle, nodes: [a, A] }', 'A and a differ only in case'],
    ['cluster: c\nauth: { method: approle, nodes: [calicoctl] }', 'the machine calicoctl is called like a component'],
    [`cluster: c${rest}\npki: { ca: existing, commonName: x }`, '3:34 commonName has no effect with ca: existing'],
    [`cluster: c${rest}\npki: { certificateFile: x }`, '3:25 certificateFile has no effect with ca: root'],
    [`cluster: c${rest}\npki: { ttl: 0 }`, '3:13 ttl must be a duration'],
    [`cluster: c${rest}\ncomponents: {}`, '3:13 components names none'],
    [`cluster: c${rest}\ncomponents: { A: {} }`, '3:15 the name of a component is "A"'],
    [`cluster: c${rest}\ncomponents: { a: { login: b } }`, 'a is served by the login of b, which is no component here'],
    [`cluster: c${rest}\ncomponents: { a: { scope: node, login: b }, b: {} }`, 'the login of b does not tell the node'],
    [
      `cluster: c${rest}\ncomponents: { a: { login: b, pods: x }, b: {} }`,
      'pods has no effect: the login of b serves a',
    ],
    [`cluster: c${rest}\ncomponents: { a: { serviceAccount: calico-cni-plugin } }`, 'calico-cni-plugin is refused'],
    [`cluster: c${rest}\ncomponents: { calico-node: 1 }`, '3:28 component calico-node must be a map'],
  ])('%j: %s', (text, problem) => {
    expect(parseSetup(text).problems.join('\n')).toContain(problem)
  })

  it('any text ends with a setup or problems, never with an exception', () => {
    const piece = fc.constantFrom(
      'cluster: c',
      '\n',
      'kubernetes:',
      ' {',
      '}',
      '[',
      ']',
      'issuer: i',
      'url: "https://k"',
      ', ',
      'auth:',
      'method: approle',
      'nodes:',
      'a',
      'components:',
      '? ',
      '&a ',
      '*a',
      'pki: ',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (text) => {
          const { value, problems } = parseSetup(text)
          expect(value !== undefined || problems.length > 0).toBe(true)
          for (const problem of problems) expect(problem).toMatch(/^\d+:\d+ /)
        },
      ),
      { numRuns: 500 },
    )
  })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isServiceLink } from '../../../agent/config/unknown-variables.ts'
import { variables } from '../../../agent/config/variables.ts'
import { suggestName } from '../../../agent/core/text.ts'

const names = Object.keys(variables)

/** The defaults that were decided, for every variable that has a constant one. */
const documented = {
  VAULT_CLIENT_TIMEOUT: '60s',
  VAULT_DISABLE_REDIRECTS: 'false',
  AGENT_AUTH_METHOD: 'jwt',
  AGENT_AUTH_TOKEN_FILE: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  AGENT_COMPONENT: 'calico-node',
  AGENT_DIR: '/calico-secrets',
  AGENT_SOURCE: 'pki',
  AGENT_SOURCE_POLL: '5m',
  AGENT_KV_MOUNT: 'secret',
  AGENT_KV_PATH: 'calico/{node}/{component}',
  AGENT_KV_VERSION: '2',
  AGENT_PKI_MOUNT: 'pki',
  AGENT_PKI_ROLE: '{component}',
  AGENT_CLUSTER: '',
  AGENT_TTL: '24h',
  AGENT_RENEW_AT: '0.65',
  AGENT_KEY_TYPE: 'ec-p256',
  AGENT_KEY_REUSE: '0',
  AGENT_ETCD_PROBE: 'off',
  AGENT_FILE_MODE: '0400',
  AGENT_ON_PUBLISH_WHEN: 'every',
  AGENT_ON_PUBLISH_TIMEOUT: '30s',
  AGENT_LISTEN: '0.0.0.0:9879',
  AGENT_INLINE_AUTH: 'off',
  AGENT_LOG_LEVEL: 'info',
  AGENT_HOST_CNI_COMPONENT: 'calico-cni',
  AGENT_ALLOW_PLAIN_HTTP: 'false',
  AGENT_KUBERNETES_DIR: '/var/run/secrets/kubernetes.io/serviceaccount',
  CALICO_IPV4POOL_IPIP: 'Never',
  CALICO_IPV4POOL_VXLAN: 'Never',
  CALICO_IPV4POOL_BLOCK_SIZE: '26',
  CALICO_IPV4POOL_NAT_OUTGOING: 'true',
  CALICO_IPV4POOL_NODE_SELECTOR: 'all()',
  CALICO_IPV4POOL_DISABLE_BGP_EXPORT: 'false',
  CALICO_IPV6POOL_VXLAN: 'Never',
  CALICO_IPV6POOL_BLOCK_SIZE: '122',
  CALICO_IPV6POOL_NAT_OUTGOING: 'false',
  CALICO_IPV6POOL_NODE_SELECTOR: 'all()',
  CALICO_IPV6POOL_DISABLE_BGP_EXPORT: 'false',
}

test('the defaults are those of the documentation', () => {
  const constants = Object.entries(variables).flatMap(([name, variable]) =>
    'default' in variable ? [[name, variable.default]] : [],
  )
  expect(Object.fromEntries(constants)).toEqual(documented)
})

test('every meaning is one line', () => {
  for (const { meaning } of Object.values(variables)) expect(meaning).toMatch(/^.{8,95}$/)
})

describe('a suggestion', () => {
  test.each([
    ['AGENT_TLL', 'AGENT_TTL'],
    ['AGENT_PKI_ROL', 'AGENT_PKI_ROLE'],
    ['AGENT_TARGET', 'AGENT_TARGETS'],
    ['AGENT_RENEWAT', 'AGENT_RENEW_AT'],
    ['AGENT_QQQQQQQQQQ', undefined],
    ['X', undefined],
  ])('for %s is %s', (name, suggestion) => {
    expect(suggestName(name, names)).toBe(suggestion)
  })

  test('for a name with one letter changed is that name, or another that is as near', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), (name, at) => {
        const index = at % name.length
        const suggestion = suggestName(`${name.slice(0, index)}#${name.slice(index + 1)}`, names) ?? ''
        expect(suggestion.slice(0, index) + suggestion.slice(index + 1)).toBe(
          name.slice(0, index) + name.slice(index + 1),
        )
      }),
    )
  })
})

describe('a service link', () => {
  test.each([
    ['AGENT_SERVICE_HOST', '10.0.0.1'],
    ['AGENT_SERVICE_PORT_METRICS_V2', '80'],
    ['AGENT_PORT', 'udp://10.0.0.1:53'],
    ['AGENT_PORT_53_UDP_ADDR', '10.0.0.1'],
    ['AGENT_PORT_132_SCTP', 'sctp://10.0.0.1:132'],
  ])('is %s=%s', (name, value) => {
    expect(isServiceLink(name, value)).toBe(true)
  })

  test.each([
    ['AGENT_PORT', '9879'],
    ['AGENT_PORT_53', '53'],
    ['AGENT_LISTEN', 'tcp://10.0.0.1:80'],
  ])('is not %s=%s', (name, value) => {
    expect(isServiceLink(name, value)).toBe(false)
  })

  test('is no variable of ours', () => {
    expect(names.filter((name) => isServiceLink(name, 'tcp://10.0.0.1:80'))).toEqual([])
  })
})

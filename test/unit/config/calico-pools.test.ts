import { describe, expect, it } from 'vitest'
import { parseWantedPools } from '../../../agent/config/calico-pools.ts'
import { ConfigError } from '../../../agent/core/errors.ts'

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    parseWantedPools(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

describe('the pools of a fresh datastore', () => {
  it('nothing is said, or no pool is wanted', () => {
    expect(parseWantedPools({ CALICO_IPV4POOL_CIDR: '' })).toEqual({ ipv4: undefined, ipv6: undefined })
    expect(parseWantedPools({ CALICO_IPV4POOL_CIDR: 'none' })).toEqual({ ipv4: 'none', ipv6: undefined })
  })

  it('have the defaults of calico-node', () => {
    expect(
      parseWantedPools({ CALICO_IPV4POOL_CIDR: '10.244.0.0/16', CALICO_IPV6POOL_CIDR: 'fd00:10:244::/48' }),
    ).toEqual({
      ipv4: {
        name: 'default-ipv4-ippool',
        cidr: '10.244.0.0/16',
        blockSize: 26,
        ipipMode: 'Never',
        vxlanMode: 'Never',
        natOutgoing: true,
        nodeSelector: 'all()',
        disableBGPExport: false,
      },
      ipv6: {
        name: 'default-ipv6-ippool',
        cidr: 'fd00:10:244::/48',
        blockSize: 122,
        ipipMode: 'Never',
        vxlanMode: 'Never',
        natOutgoing: false,
        nodeSelector: 'all()',
        disableBGPExport: false,
      },
    })
  })

  it('take its words', () => {
    const pools = parseWantedPools({
      CALICO_IPV4POOL_CIDR: '10.244.0.0/16',
      CALICO_IPV4POOL_IPIP: 'Always',
      CALICO_IPV4POOL_VXLAN: 'cross-subnet',
      CALICO_IPV4POOL_BLOCK_SIZE: '24',
      CALICO_IPV4POOL_NAT_OUTGOING: 'No',
      CALICO_IPV4POOL_NODE_SELECTOR: "zone == 'a'",
      CALICO_IPV4POOL_DISABLE_BGP_EXPORT: 'true',
    })
    expect(pools.ipv4).toMatchObject({
      ipipMode: 'Always',
      vxlanMode: 'CrossSubnet',
      blockSize: 24,
      natOutgoing: false,
      nodeSelector: "zone == 'a'",
      disableBGPExport: true,
    })
  })

  it.each([
    ['CALICO_IPV4POOL_CIDR', '10.244.0.0', 'must be an IPv4 network such as 10.244.0.0/16, or none'],
    ['CALICO_IPV4POOL_CIDR', '10.244.0.0/33', 'must be an IPv4 network'],
    ['CALICO_IPV4POOL_CIDR', 'fd00::/48', 'must be an IPv4 network'],
    ['CALICO_IPV4POOL_CIDR', '10.244.0.1/16', '10.244.0.1 is not the first address of this network'],
    ['CALICO_IPV6POOL_CIDR', '10.244.0.0/16', 'must be an IPv6 network such as fd00:10:244::/48, or none'],
    ['CALICO_IPV6POOL_CIDR', 'fd00::1/48', 'fd00::1 is not the first address of this network'],
    ['CALICO_IPV6POOL_CIDR', 'fd00:0:0:0:1::/64', 'is not the first address of this network'],
    ['CALICO_IPV4POOL_BLOCK_SIZE', '19', 'must be a whole number from 20 to 32'],
    ['CALICO_IPV6POOL_BLOCK_SIZE', '26', 'must be a whole number from 116 to 128'],
    ['CALICO_IPV4POOL_IPIP', 'yes', 'must be Always, CrossSubnet or Never'],
    ['CALICO_IPV6POOL_VXLAN', 'on', 'must be Always, CrossSubnet or Never'],
  ])('%s=%s is a problem of its own', (name, value, what) => {
    const good = { CALICO_IPV4POOL_CIDR: '10.244.0.0/16', CALICO_IPV6POOL_CIDR: 'fd00:0:0:1::/64' }
    const problems = problemsOf({ ...good, [name]: value })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${name} is `))
    expect(problems[0]).toContain(what)
  })

  it('misspelled variables of the agent are told as everywhere', () => {
    expect(problemsOf({ AGENT_CALICO_VERSON: 'v3.32.1' })[0]).toContain('did you mean AGENT_CALICO_VERSION?')
  })
})

/**
 * Owns reading which IP pools a fresh datastore gets (`provision --defaults`): from the variables of calico-node, with its
 * names, values and defaults.
 * @see https://github.com/projectcalico/calico/blob/v3.32.1/node/pkg/lifecycle/startup/startup.go configureIPPools
 */
import { isIPv4, isIPv6 } from 'node:net'
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { parseEnvironment } from './unknown-variables.ts'
import type { VariableName } from './variables.ts'

export interface IpPool {
  readonly name: string
  readonly cidr: string
  readonly blockSize: number
  readonly ipipMode: EncapsulationMode
  readonly vxlanMode: EncapsulationMode
  readonly natOutgoing: boolean
  readonly nodeSelector: string
  readonly disableBGPExport: boolean
}

/** A pool; `none` is wanted; undefined: nobody has said. */
export type WantedPool = IpPool | 'none' | undefined

export interface WantedPools {
  readonly ipv4: WantedPool
  readonly ipv6: WantedPool
}

type EncapsulationMode = 'Never' | 'CrossSubnet' | 'Always'

const families = {
  4: { name: 'default-ipv4-ippool', isAddress: isIPv4, bits: 32 },
  6: { name: 'default-ipv6-ippool', isAddress: isIPv6, bits: 128 },
} as const

/** @throws ConfigError with every problem */
export function parseWantedPools(env: Environment): WantedPools {
  return parseEnvironment(env, (reader) => ({ ipv4: readPool(reader, 4), ipv6: readPool(reader, 6) }))
}

function readPool(reader: EnvironmentReader, family: 4 | 6): WantedPool {
  const prefix = `CALICO_IPV${family}POOL_` as const
  const cidr = reader.optional(`${prefix}CIDR`)
  if (cidr === undefined || cidr === 'none') return cidr
  return {
    name: families[family].name,
    cidr: checkCidr(reader, `${prefix}CIDR`, cidr, family),
    blockSize: reader.whole(`${prefix}BLOCK_SIZE`),
    ipipMode: family === 4 ? readMode(reader, 'CALICO_IPV4POOL_IPIP') : 'Never',
    vxlanMode: readMode(reader, `${prefix}VXLAN`),
    natOutgoing: readFlag(reader, `${prefix}NAT_OUTGOING`),
    nodeSelector: reader.text(`${prefix}NODE_SELECTOR`),
    disableBGPExport: readFlag(reader, `${prefix}DISABLE_BGP_EXPORT`),
  }
}

/** Calico keeps the first address of the network: of another one nobody would know which was meant. */
function checkCidr(reader: EnvironmentReader, name: VariableName, cidr: string, family: 4 | 6): string {
  const { isAddress, bits } = families[family]
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? []
  if (!isAddress(address) || Number(length) > bits) {
    const example = family === 4 ? '10.244.0.0/16' : 'fd00:10:244::/48'
    reader.problem(name, `is ${quote(cidr)}; it must be an IPv${family} network such as ${example}, or none`)
  } else if ((numberOf(address, family) & ((1n << BigInt(bits - Number(length))) - 1n)) !== 0n) {
    reader.problem(name, `is ${quote(cidr)}; ${address} is not the first address of this network`)
  }
  return cidr
}

function numberOf(address: string, family: 4 | 6): bigint {
  if (family === 4) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : [])
  const zeros = Array.from({ length: 8 - groups(head).length - groups(tail).length }, () => '0')
  return [...groups(head), ...zeros, ...groups(tail)].reduce((sum, part) => sum * 65_536n + BigInt(`0x${part}`), 0n)
}

const modes: Readonly<Record<string, EncapsulationMode>> = {
  off: 'Never',
  never: 'Never',
  crosssubnet: 'CrossSubnet',
  'cross-subnet': 'CrossSubnet',
  always: 'Always',
}

function readMode(reader: EnvironmentReader, name: VariableName): EncapsulationMode {
  const value = reader.text(name)
  const mode = modes[value.toLowerCase()]
  if (mode === undefined) reader.problem(name, `is ${quote(value)}; it must be Always, CrossSubnet or Never`)
  return mode ?? 'Never'
}

/** Calico's way: what does not mean no means yes. */
function readFlag(reader: EnvironmentReader, name: VariableName): boolean {
  return !['false', '0', 'no', 'n', 'f'].includes(reader.text(name).toLowerCase())
}

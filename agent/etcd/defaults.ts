/**
 * Owns looking whether what per-node naming takes for granted is there: objects that calico/node would otherwise make at its
 * first start, which the narrow role of one node does not allow (docs/etcd.md).
 */
import type { EtcdAuthApi } from './api.ts'

const resources = '/calico/resources/v3/projectcalico.org/'

/** One sentence for each object that is missing or incomplete. */
export async function missingDefaults(api: Pick<EtcdAuthApi, 'get' | 'count'>): Promise<string[]> {
  const [pools, felix, bgp, cluster] = await Promise.all([
    api.count(`${resources}ippools/`),
    api.get(`${resources}felixconfigurations/default`),
    api.get(`${resources}bgpconfigurations/default`),
    api.get(`${resources}clusterinformations/default`),
  ])
  const missing: string[] = []
  if (pools === 0) missing.push('there is no IP pool')
  if (felix === undefined) missing.push('there is no FelixConfiguration "default"')
  else {
    const lacking = ['reportingInterval', 'logSeverityScreen'].filter((field) => !hasField(felix.value, field))
    if (lacking.length > 0) missing.push(`the FelixConfiguration "default" lacks ${lacking.join(' and ')}`)
  }
  if (bgp === undefined) missing.push('there is no BGPConfiguration "default"')
  if (cluster === undefined) missing.push('there is no ClusterInformation "default"')
  return missing.map(
    (what) =>
      `${what}: calico-node with the rights of one node cannot make it and will not start; make it with calicoctl, or start one calico-node in the naming by component`,
  )
}

function hasField(json: string, field: string): boolean {
  try {
    const { spec } = JSON.parse(json) as { spec?: Record<string, unknown> | null }
    return spec?.[field] !== undefined && spec[field] !== null
  } catch {
    return false
  }
}

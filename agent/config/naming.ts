/**
 * Owns how names are made: the templates of AGENT_COMMON_NAME, AGENT_PKI_ROLE, AGENT_KV_PATH and AGENT_SOURCE_DIR (`{component}:{node}`
 * and the like), and the common name that a component has by default, the same as `setup-vault` and `provision` make.
 */
import type { Auth } from './auth.ts'
import { type EnvironmentReader, quote } from './reader.ts'
import type { VariableName } from './variables.ts'

export interface TemplateValues {
  readonly component: string
  readonly node: string
  readonly cluster: string
  /** From the claims of the service-account token; only read if a template uses it. */
  readonly nodeUid?: string | undefined
}

const placeholder = /\{([^{}]*)\}/g
const known = ['component', 'node', 'node_uid', 'cluster'] as const

/** What is wrong with the template, or undefined. */
export function templateProblem(template: string): string | undefined {
  for (const [, name] of template.matchAll(placeholder)) {
    if (!known.some((each) => each === name)) {
      return `knows no {${name}}; there are ${known.map((each) => `{${each}}`).join(', ')}`
    }
  }
  return /[{}]/.test(template.replace(placeholder, '')) ? 'has a brace without its partner' : undefined
}

export function refuseBadTemplate(reader: EnvironmentReader, name: VariableName, template: string): void {
  const problem = templateProblem(template)
  if (problem !== undefined) reader.problem(name, `is ${quote(template)}: it ${problem}`)
  if (template.includes('{cluster}') && !reader.isSet('AGENT_CLUSTER')) {
    reader.problem(name, 'uses {cluster}: set AGENT_CLUSTER')
  }
}

export function usesNodeUid(template: string): boolean {
  return template.includes('{node_uid}')
}

/** What names are made for. */
export interface NamingContext {
  readonly node: string
  readonly cluster: string
  /** Undefined: there is no login. */
  readonly method: Auth['method'] | undefined
}

/** Only a service-account token tells the uid of its node. */
export function knowsNodeUid(method: NamingContext['method']): boolean {
  return method === 'kubernetes' || method === 'jwt'
}

/** `{node_uid}` stays as it is if it is not among the values. */
export function renderTemplate(template: string, { component, node, cluster, nodeUid }: TemplateValues): string {
  const values = new Map(Object.entries({ component, node, cluster, node_uid: nodeUid }))
  return template.replace(placeholder, (whole, name: string) => values.get(name) ?? whole)
}

/** Components that run once in a cluster: they have one name, whatever node they are on. Everything else has one for each node. */
export const clusterComponents: readonly string[] = [
  'calico-kube-controllers',
  'calicoctl',
  'calicoctl-read-only',
  'calicoctl-policy-editor',
  'calico-neutron',
  'kube-apiserver',
  'calico-provisioner',
]

/** As a template. */
export function defaultCommonName(component: string): string {
  return clusterComponents.includes(component) ? '{component}' : '{component}:{node}'
}

/** Owns what each target is called in Vault and etcd: common name and PKI role, rendered from their templates. */
import type { Auth } from './auth.ts'
import { type EnvironmentReader, quote } from './reader.ts'
import type { TargetPath } from './targets.ts'
import { renderTemplate, templateProblem, usesNodeUid } from './template.ts'

/** One component's delivery. `commonName` still holds `{node_uid}` where the template uses it. */
export interface Target extends TargetPath {
  readonly pkiRole: string
  readonly commonName: string
}

export interface NamingContext {
  readonly node: string
  readonly cluster: string
  /** Undefined: there is no login. */
  readonly method: Auth['method'] | undefined
}

/** As Vault names roles: framework.GenericNameRegex. */
const rolePattern = /^\w([\w.-]*\w)?$/

export function nameTargets(
  reader: EnvironmentReader,
  paths: readonly TargetPath[],
  { node, cluster, method }: NamingContext,
): Target[] {
  const commonName = reader.text('AGENT_COMMON_NAME')
  const pkiRole = reader.text('AGENT_PKI_ROLE')
  refuseBadTemplate(reader, 'AGENT_COMMON_NAME', commonName, cluster)
  refuseBadTemplate(reader, 'AGENT_PKI_ROLE', pkiRole, cluster)
  if (/\p{Cc}/u.test(commonName)) {
    reader.problem('AGENT_COMMON_NAME', `is ${quote(commonName)}; it must be one line without control characters`)
  }
  // What is put into a template has been checked, so that the template alone decides.
  const anyRole = renderTemplate(pkiRole, { component: 'x', node: 'x', cluster: 'x', nodeUid: 'x' })
  if (templateProblem(pkiRole) === undefined && !rolePattern.test(anyRole)) {
    reader.problem('AGENT_PKI_ROLE', `is ${quote(pkiRole)}; use letters, digits, '-', '.' and '_'`)
  }
  if (usesNodeUid(pkiRole)) reader.problem('AGENT_PKI_ROLE', 'cannot use {node_uid}: a role serves every node')
  if (usesNodeUid(commonName) && method !== 'kubernetes' && method !== 'jwt') {
    reader.problem(
      'AGENT_COMMON_NAME',
      `uses {node_uid}, which only a service-account token has; ${method === undefined ? 'there is no login' : `the method is ${method}`}`,
    )
  }
  const targets = paths.map((path) => {
    const values = { component: path.component, node, cluster }
    return { ...path, pkiRole: renderTemplate(pkiRole, values), commonName: renderTemplate(commonName, values) }
  })
  refuseSharedNames(reader, targets)
  return targets
}

function refuseBadTemplate(
  reader: EnvironmentReader,
  name: 'AGENT_COMMON_NAME' | 'AGENT_PKI_ROLE',
  template: string,
  cluster: string,
): void {
  const problem = templateProblem(template)
  if (problem !== undefined) reader.problem(name, `is ${quote(template)}: it ${problem}`)
  if (cluster === '' && template.includes('{cluster}')) reader.problem(name, 'uses {cluster}: set AGENT_CLUSTER')
}

/** Two targets with one common name would be one etcd user: AGENT_COMMON_NAME lacks {component}. */
function refuseSharedNames(reader: EnvironmentReader, targets: readonly Target[]): void {
  const components = new Set(targets.map(({ component }) => component))
  const names = new Set(targets.map(({ commonName }) => commonName))
  if (names.size < components.size) {
    reader.problem('AGENT_COMMON_NAME', 'gives two targets the same name; use {component} in it')
  }
}

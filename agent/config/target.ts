/**
 * Reads the targets: which components, into which directories, and what each is called in Vault and etcd; and which of them the CNI
 * plugin on the host uses.
 */
import { isAbsolute, join, normalize } from 'node:path'
import {
  defaultCommonName,
  knowsNodeUid,
  type NamingContext,
  refuseBadTemplate,
  renderTemplate,
  templateProblem,
  usesNodeUid,
} from './naming.ts'
import { type EnvironmentReader, quote } from './reader.ts'
import type { VariableName } from './variables.ts'

export interface TargetPath {
  readonly component: string
  readonly directory: string
}

/** Component names become common names, PKI role names and metric labels: letters, digits and `-._` only. */
const componentPattern = /^[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?$/

export function readTargets(reader: EnvironmentReader): TargetPath[] {
  const list = reader.optional('AGENT_TARGETS')
  if (list === undefined) {
    const target = { component: reader.text('AGENT_COMPONENT'), directory: reader.absolutePath('AGENT_DIR') ?? '' }
    return checked(reader, 'AGENT_COMPONENT', [target])
  }
  for (const single of ['AGENT_COMPONENT', 'AGENT_DIR'] as const) {
    if (reader.isSet(single)) reader.problem('AGENT_TARGETS', `and ${single} exclude each other; keep one of them`)
  }
  const targets: TargetPath[] = []
  for (const part of list.split(',').map((each) => each.trim())) {
    const [component = '', directory = '', ...rest] = part.split('=')
    if (component === '' || directory === '' || rest.length > 0 || !isAbsolute(directory)) {
      reader.problem('AGENT_TARGETS', `has ${quote(part)}; each target is component=/absolute/directory`)
    } else {
      targets.push({ component, directory })
    }
  }
  return checked(reader, 'AGENT_TARGETS', targets)
}

function checked(
  reader: EnvironmentReader,
  name: 'AGENT_TARGETS' | 'AGENT_COMPONENT',
  given: readonly TargetPath[],
): TargetPath[] {
  const targets = given.map(({ component, directory }) => ({ component, directory: plainPath(directory) }))
  for (const [index, { component, directory }] of targets.entries()) {
    if (!componentPattern.test(component)) {
      reader.problem(name, `has the component ${quote(component)}; use letters, digits, '-', '.' and '_' (at most 63)`)
    }
    for (const earlier of targets.slice(0, index)) {
      if (earlier.component === component) reader.problem(name, `names the component ${component} twice`)
      if (earlier.directory === directory) reader.problem(name, `names the directory ${directory} twice`)
    }
  }
  return targets
}

/** Reports a variable whose directories would be the one of a target. */
export function refuseSharedDirectory(
  reader: EnvironmentReader,
  name: VariableName,
  taken: readonly string[],
  targets: readonly TargetPath[],
): void {
  const target = targets.find(({ directory }) => taken.map(plainPath).includes(directory))
  if (target === undefined) return
  reader.problem(name, `would use ${target.directory}, the directory of ${target.component}; name another directory`)
}

/** Without doubled and trailing slashes, so that equal directories are equal texts. */
export function plainPath(path: string): string {
  return normalize(path).replace(/(.)\/$/, '$1')
}

/** One component's delivery. `commonName` still holds `{node_uid}` if the template uses it. */
export interface Target extends TargetPath {
  readonly pkiRole: string
  readonly commonName: string
}

/** As Vault names roles: framework.GenericNameRegex. */
const rolePattern = /^\w([\w.-]*\w)?$/

export function nameTargets(
  reader: EnvironmentReader,
  paths: readonly TargetPath[],
  { node, cluster, method }: NamingContext,
): Target[] {
  const given = reader.optional('AGENT_COMMON_NAME')
  const commonName = given ?? ''
  const pkiRole = reader.text('AGENT_PKI_ROLE')
  refuseBadTemplate(reader, 'AGENT_COMMON_NAME', commonName)
  refuseBadTemplate(reader, 'AGENT_PKI_ROLE', pkiRole)
  if (/\p{Cc}/u.test(commonName)) {
    reader.problem('AGENT_COMMON_NAME', `is ${quote(commonName)}; it must be one line without control characters`)
  }
  // What is put into a template has been checked, so that the template alone decides.
  const anyRole = renderTemplate(pkiRole, { component: 'x', node: 'x', cluster: 'x', nodeUid: 'x' })
  if (templateProblem(pkiRole) === undefined && !rolePattern.test(anyRole)) {
    reader.problem('AGENT_PKI_ROLE', `is ${quote(pkiRole)}; use letters, digits, '-', '.' and '_'`)
  }
  if (usesNodeUid(pkiRole)) reader.problem('AGENT_PKI_ROLE', 'cannot use {node_uid}: a role serves every node')
  if (usesNodeUid(commonName) && !knowsNodeUid(method)) {
    const why = method === undefined ? 'there is no login' : `the method is ${method}`
    reader.problem('AGENT_COMMON_NAME', `uses {node_uid}, which only a service-account token has; ${why}`)
  }
  const targets = paths.map((path) => {
    const values = { component: path.component, node, cluster }
    const name = given ?? defaultCommonName(path.component)
    return { ...path, pkiRole: renderTemplate(pkiRole, values), commonName: renderTemplate(name, values) }
  })
  refuseSharedNames(reader, targets)
  return targets
}

/** Two targets with one common name would be one etcd user: AGENT_COMMON_NAME lacks {component}. */
function refuseSharedNames(reader: EnvironmentReader, targets: readonly Target[]): void {
  const components = new Set(targets.map(({ component }) => component))
  const names = new Set(targets.map(({ commonName }) => commonName))
  if (names.size < components.size) {
    reader.problem('AGENT_COMMON_NAME', 'gives two targets the same name; use {component} in it')
  }
}

export interface HostCniConfig {
  /** The host's /etc/cni/net.d as it is mounted here. */
  readonly directory: string
  readonly component: string
}

/** What install-cni calls the directory of the copy. */
export const hostCopyName = 'calico-tls'

export function readHostCni(reader: EnvironmentReader, targets: readonly TargetPath[]): HostCniConfig | undefined {
  const directory = reader.absolutePath('AGENT_HOST_CNI_DIR')
  if (directory === undefined) return undefined
  const component = reader.text('AGENT_HOST_CNI_COMPONENT')
  if (!targets.some((target) => target.component === component)) {
    const known = targets.map((target) => target.component).join(', ')
    reader.problem('AGENT_HOST_CNI_COMPONENT', `is ${quote(component)}, which is no target of this agent (${known})`)
  }
  const copy = plainPath(join(directory, hostCopyName))
  if (targets.some((target) => target.directory === copy)) {
    reader.problem('AGENT_HOST_CNI_DIR', `would copy into ${copy}, the directory of a target; name another directory`)
  }
  return { directory: plainPath(directory), component }
}

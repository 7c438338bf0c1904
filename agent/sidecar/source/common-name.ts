/** Owns the common name that a target's certificate must have: its template, filled in. */
import type { Config, Target } from '../../config/config.ts'
import { renderTemplate, usesNodeUid } from '../../config/naming.ts'
import { readNodeUid } from '../../vault/credentials.ts'

/** @throws AgentError if the name depends on a credential that cannot be read */
export function commonNameOf(config: Pick<Config, 'node' | 'cluster' | 'auth'>, target: Target): string {
  const { component, commonName: template } = target
  const { node, cluster, auth } = config
  const nodeUid = usesNodeUid(template) ? readNodeUid(auth) : undefined
  return renderTemplate(template, { component, node, cluster, nodeUid })
}

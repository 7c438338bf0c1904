/** Owns where `--help` and docs/configuration.md look for a variable: sections in the order in which one needs them. */
import { type Variable, variables } from './variables.ts'

export interface VariableGroup {
  readonly title: string
  readonly variables: readonly (readonly [name: string, variable: Variable])[]
}

/** A variable is in the first group that it belongs to. */
const groups: readonly (readonly [string, (name: string) => boolean])[] = [
  ['Vault', (name) => name.startsWith('VAULT_')],
  [
    'Login',
    (name) => name.startsWith('AGENT_AUTH_') || name === 'AGENT_VAULT_TOKEN_FILE' || name === 'AGENT_INLINE_AUTH',
  ],
  ['Certificate', (name) => /^(NODE_NAME|AGENT_(PKI_|COMMON_NAME|CLUSTER|TTL|RENEW_AT|ISSUANCE_|KEY_))/.test(name)],
  ['Files', (name) => /^AGENT_(COMPONENT|DIR|TARGETS|FILE_|ETCD_CA_FILE|STATE_DIR|BOOTSTRAP_DIR|HOST_CNI_)/.test(name)],
  ['etcd', (name) => /^(ETCD_|AGENT_(ETCD_PROBE|CALICO_VERSION|KUBERNETES_DIR)$)/.test(name)],
  ['Operation', () => true],
]

export function groupVariables(): readonly VariableGroup[] {
  const rest = new Map<string, Variable>(Object.entries(variables))
  return groups.map(([title, belongs]) => {
    const members = [...rest].filter(([name]) => belongs(name))
    for (const [name] of members) rest.delete(name)
    return { title, variables: members }
  })
}

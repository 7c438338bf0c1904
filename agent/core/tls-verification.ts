/** Owns that TLS is always verified: Node's variable that switches it off is taken away before anything connects. */

const variable = 'NODE_TLS_REJECT_UNAUTHORIZED'

/**
 * Node reads the variable at each connection whose options leave it open, and some of those are made inside libraries.
 * @returns what to warn of; undefined if there is nothing
 */
export function keepTlsVerified(env: NodeJS.ProcessEnv): string | undefined {
  const value = env[variable]
  delete env[variable]
  if (value !== '0') return undefined
  return `${variable}=0 is not honoured: whoever answered in the place of Vault or etcd would get the token. Name the CA instead (VAULT_CACERT, AGENT_ETCD_CA_FILE), and remove the variable.`
}

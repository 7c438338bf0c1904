/**
 * Owns what every TLS connection has in common: it is verified whatever the environment says, and the codes of node:tls tell its errors
 * from others.
 */

/**
 * What OpenSSL and Node find wrong with the certificate of the server. UNSPECIFIED is what Node calls a finding of OpenSSL that it
 * has no name for.
 */
const verification =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|ERROR_IN_|HOSTNAME_MISMATCH$|INVALID_(CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$|CA_|EE_|OUT_OF_MEM$|UNSPECIFIED$)/

/** The certificate of the server was not accepted. */
export function isVerificationCode(code: string): boolean {
  return verification.test(code)
}

/** Anything that TLS itself says: the handshake, an alert, the verification. */
export function isTlsCode(code: string): boolean {
  return isVerificationCode(code) || /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$)/.test(code)
}

/** OpenSSL's own words if there are some; without Node's hint at an option that nobody here has. */
export function tlsText(error: Error): string {
  const text =
    'reason' in error && typeof error.reason === 'string' && error.reason !== '' ? error.reason : error.message
  return text.replace(/; if the root CA is installed locally.*$/s, '')
}

const switchOff = 'NODE_TLS_REJECT_UNAUTHORIZED'

/**
 * Node reads the variable at each connection whose options leave it open, and some of those are made inside libraries.
 * @returns what to warn of; undefined if there is nothing
 */
export function keepTlsVerified(env: NodeJS.ProcessEnv): string | undefined {
  const value = env[switchOff]
  delete env[switchOff]
  if (value !== '0') return undefined
  return `${switchOff}=0 is not honored: whoever answered in the place of Vault or etcd would get the token. Name the CA instead (VAULT_CACERT, AGENT_ETCD_CA_FILE), and remove the variable.`
}

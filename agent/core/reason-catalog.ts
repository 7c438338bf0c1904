/**
 * Owns the closed set of reasons: why a certificate is renewed, why a candidate is refused, why an attempt failed.
 * One code is at the same time the error code, the metric label, the log field and the anchor in docs/runbook.md.
 */

import { type Reason, reasonsAbout } from './reason.ts'
import { etcdReasons, kubeReasons, rotationReasons, setupReasons } from './reasons/operator.ts'
import { consumerReasons, sourceReasons, storeReasons } from './reasons/sidecar.ts'

const renewal = (summary: string): Reason => ({ about: 'renewal', retry: 'local', summary, advice: 'Nothing to do.' })
const gate = reasonsAbout('gate')
const vault = reasonsAbout('vault')
const auth = reasonsAbout('auth')
const budget = reasonsAbout('budget')
const file = reasonsAbout('file')

export const reasons = {
  'never-published': renewal('first certificate'),
  'renewal-due': renewal('scheduled renewal'),
  'renewal-requested': renewal('requested (renew, SIGHUP)'),
  'issuer-removed': renewal('the issuer of the published certificate is no longer in the PKI mount'),
  'source-changed': renewal('new certificate in the source'),
  'ca-set-changed': renewal('the CA set has changed'),
  'files-changed': renewal('somebody changed or removed the published files'),
  'attributes-changed': renewal('mode or owner of the published files had changed'),
  'restored-from-state': renewal('taken from AGENT_STATE_DIR'),
  'restored-from-bootstrap': renewal('taken from AGENT_BOOTSTRAP_DIR'),

  malformed: gate.refused(
    'the certificate, key or CA set cannot be parsed',
    'Check what the PKI mount or the source holds. If it is on disk, the next renewal replaces it.',
  ),
  'ca-unusable': gate.refused(
    'a CA certificate is left out, as its public key cannot be decoded',
    'Remove or replace it where the message says. Neither the agent nor etcd can verify anything with it.',
  ),
  'key-mismatch': gate.refused(
    'the private key does not belong to the certificate',
    'If certificates are made elsewhere, write certificate and key in one step.',
  ),
  'key-unsupported': gate.refused(
    'Calico and etcd cannot load this kind of key',
    'Use an EC key (P-256, P-384, P-521), an RSA key of 2048 bits or more, or an Ed25519 key.',
  ),
  'untrusted-chain': gate.refused(
    'the certificate does not chain to the CA set that would be published with it',
    "Check the issuers of the PKI mount and AGENT_ETCD_CA_FILE; the mount must list the issuing CA's whole chain.",
  ),
  'wrong-name': gate.refused(
    'the common name is not exactly the wanted one',
    'Compare AGENT_COMMON_NAME with the PKI role. Vault ignores upper and lower case in names, etcd does not.',
  ),
  'not-client-auth': gate.refused(
    'a TLS client may not use the certificate (no clientAuth)',
    'Set client_flag=true on the PKI role.',
  ),
  'not-yet-valid': gate.refused(
    'the certificate is not valid yet',
    "Synchronize the clocks of Vault and this node; keep the role's not_before_duration at 30s.",
  ),
  expired: gate.refused('the certificate has expired', 'Check the clocks, and why it was not renewed in time.'),
  'lifetime-too-short': gate.refused(
    'the certificate would be valid for too short a time',
    "Raise max_ttl of the PKI role, or check the issuer's own expiry.",
  ),
  'ca-lost': gate.refused(
    'the new CA set lacks a CA that a certificate in use chains to',
    'Keep the old issuer in the PKI mount until every certificate that it signed has been replaced.',
  ),

  'etcd-permission-denied': gate.awaited(
    'etcd knows the user but lets it do nothing',
    'Grant the user a role with its keys. The agent keeps the signed certificate and publishes it as soon as etcd accepts it.',
  ),
  'etcd-unknown-user': gate.awaited(
    'etcd has no user with this common name (yet)',
    'Add the user without a password. The agent keeps the signed certificate and publishes it as soon as etcd accepts it.',
  ),
  'etcd-ignores-certificate': gate.refused(
    'etcd ignores the certificate when it identifies the user',
    'Run etcd with --client-cert-auth. Nothing between the node and etcd may terminate TLS.',
  ),
  'etcd-rejected-certificate': gate.refused(
    'etcd does not accept the certificate',
    "Add the issuing CA to etcd's --trusted-ca-file. Check etcd's clock.",
  ),
  'etcd-untrusted-server': gate.refused(
    "the CA set that would be published does not verify the certificate of etcd's server",
    "Name the CA of etcd's servers in AGENT_ETCD_CA_FILE, and check that ETCD_ENDPOINTS uses the names in their certificates.",
  ),
  'etcd-bad-answer': gate.outage(
    'the server at this address does not answer like etcd',
    'Check ETCD_ENDPOINTS. etcd also closes the connection without an answer if the certificate is revoked (--client-crl-file).',
  ),
  'etcd-unheard': gate.outage(
    'etcd could not be asked whether it accepts the certificate',
    'Check ETCD_ENDPOINTS, network policies, and that etcd runs and has a leader.',
  ),

  'vault-name-unresolved': vault.outage(
    'the host name of Vault cannot be resolved',
    'Check VAULT_ADDR and DNS; a hostNetwork pod needs dnsPolicy ClusterFirstWithHostNet for names of services.',
  ),
  'vault-unreachable': vault.outage(
    'Vault cannot be reached',
    'Check VAULT_ADDR, network policies and that Vault runs.',
  ),
  'vault-tls': vault.outage(
    "Vault's TLS certificate is not accepted, or Vault refuses ours",
    'Check VAULT_CACERT, VAULT_TLS_SERVER_NAME and the client certificate.',
  ),
  'vault-proxy': vault.outage(
    'the proxy between the agent and Vault fails or refuses',
    'Check HTTPS_PROXY or VAULT_PROXY_ADDR with its user and password, and NO_PROXY.',
  ),
  'vault-timeout': vault.outage(
    'Vault did not answer in time',
    'Check the load of Vault, or raise VAULT_CLIENT_TIMEOUT.',
  ),
  'vault-connection-lost': vault.outage(
    'the connection to Vault ended in the middle of a request',
    'It usually passes by itself.',
  ),
  'vault-sealed': vault.outage('Vault is sealed or not initialized', 'Unseal Vault.'),
  'vault-standby': vault.outage(
    'this Vault node is a standby that cannot serve the request',
    'It usually passes by itself.',
  ),
  'vault-rate-limited': vault.outage(
    'a rate limit of Vault is exceeded',
    "Raise the quota; it counts by the client's address.",
  ),
  'vault-server-error': vault.outage(
    'Vault answered with an internal error',
    "Read Vault's log. A PKI mount without a default issuer answers like this too.",
  ),
  'vault-bad-answer': vault.outage(
    "the answer is not what Vault's API promises",
    'Check that VAULT_ADDR names Vault itself and not a proxy or a login page.',
  ),
  'vault-answer-too-large': vault.outage(
    'the answer is larger than 1 MiB',
    'Check that VAULT_ADDR names Vault itself.',
  ),
  'vault-redirect': vault.outage(
    'Vault answered with a redirect that is not followed',
    'The message says why. Point VAULT_ADDR at the active node, or at a load balancer that forwards to it.',
  ),
  'vault-login-refused': vault.refused(
    'Vault refused the login',
    'Check AGENT_AUTH_MOUNT, AGENT_AUTH_ROLE and the claims of the token against the role in Vault.',
  ),
  'vault-denied': vault.refused(
    'the token may not do this',
    'Check the policy of the role: update on <mount>/sign/<role>; with AGENT_SOURCE=kv, read on the path of the secret.',
  ),
  'vault-not-found': vault.refused(
    'there is nothing at this path',
    'Check AGENT_PKI_MOUNT and AGENT_AUTH_MOUNT. A PKI mount without any issuer answers like this too.',
  ),
  'issuer-too-young': vault.outage(
    'the issuer in Vault is so new that a certificate would begin before it',
    'Nothing, if it passes within a minute. Vault signs once the issuer is older than not_before_duration of the role (30 s); the agent then tries again.',
  ),
  'vault-request-refused': vault.refused('Vault refused the request', 'Compare the message with the PKI role.'),
  'inline-auth-unsupported': vault.refused(
    'the server does not know inline authentication',
    'Set AGENT_INLINE_AUTH=off, or use OpenBao 2.4 or newer.',
  ),

  'budget-spent': budget.refused(
    'more certificates were made within an hour than are needed',
    'Find the cause in the log: a crash, a name that keeps changing, a gate that refuses. The agent goes on by itself. AGENT_ISSUANCE_BUDGET raises the limit.',
  ),

  'credential-missing': auth.local(
    'a file with a credential is missing or cannot be read',
    'Mount it, or correct its path.',
  ),
  'credential-invalid': auth.local('a credential is empty or malformed', 'Check what writes the file.'),
  'credential-expired': auth.local(
    'the service-account token has expired',
    'The kubelet should renew it. Check the projected volume and the kubelet.',
  ),

  'wrong-node': auth.local(
    'the service-account token is bound to another node than NODE_NAME',
    'Set NODE_NAME from the downward API (spec.nodeName), and mount the token of this very pod.',
  ),

  ...storeReasons,
  ...sourceReasons,
  ...etcdReasons,
  ...kubeReasons,
  ...consumerReasons,
  ...setupReasons,
  ...rotationReasons,
  'nodes-invalid': file.local(
    'the list of nodes cannot be used',
    'Correct it. Until then, nothing is taken from it and nobody is removed.',
  ),
  'file-invalid': file.local(
    'a configured certificate or key file cannot be read or parsed',
    'Check the file that the message names.',
  ),
} as const satisfies Record<string, Reason>

export type ReasonCode = keyof typeof reasons

export function isReasonCode(code: unknown): code is ReasonCode {
  return typeof code === 'string' && Object.hasOwn(reasons, code)
}

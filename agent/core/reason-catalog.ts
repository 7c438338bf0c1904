/**
 * Owns the closed set of reasons: why a certificate is renewed, why a candidate is refused, why an attempt failed.
 * One code is at the same time the error code, the metric label, the log field and the anchor in docs/runbook.md.
 */

import type { Reason, RetryClass } from './reason.ts'
import { rotationReasons } from './reasons/ca-rotation.ts'
import { etcdReasons } from './reasons/etcd.ts'
import { kubeReasons } from './reasons/kubernetes.ts'
import { sourceReasons } from './reasons/source.ts'
import { storeReasons } from './reasons/store.ts'
import { setupReasons } from './reasons/vault-setup.ts'

const renewal = (summary: string): Reason => ({ about: 'renewal', retry: 'local', summary, advice: 'Nothing to do.' })
const gate = (summary: string, advice: string): Reason => ({ about: 'gate', retry: 'refused', summary, advice })
const probe = (retry: RetryClass, summary: string, advice: string): Reason => ({
  about: 'gate',
  retry,
  summary,
  advice,
})
const outage = (summary: string, advice: string): Reason => ({ about: 'vault', retry: 'outage', summary, advice })
const refused = (summary: string, advice: string): Reason => ({ about: 'vault', retry: 'refused', summary, advice })
const auth = (summary: string, advice: string): Reason => ({ about: 'auth', retry: 'local', summary, advice })

export const reasons = {
  'never-published': renewal('no certificate is in the directory yet'),
  'renewal-due': renewal('the renewal slot of this certificate has come'),
  'renewal-requested': renewal('a renewal was asked for (SIGHUP)'),
  'issuer-removed': renewal('the issuer of the published certificate is no longer in the PKI mount'),
  'source-changed': renewal('the source has another certificate'),
  'ca-set-changed': renewal('the set of CA certificates has changed'),
  'files-changed': renewal('the published files were changed or removed by somebody else'),
  'attributes-changed': renewal('mode or owner of the published files is not the configured one'),
  'restored-from-state': renewal('the certificate was taken from AGENT_STATE_DIR'),
  'restored-from-bootstrap': renewal('the certificate was taken from AGENT_BOOTSTRAP_DIR'),

  malformed: gate(
    'the certificate, key or CA set cannot be parsed',
    'Look at what the PKI mount or the source holds; if it is on disk, the next renewal replaces it.',
  ),
  'ca-unusable': gate(
    'a CA certificate is left out: its public key cannot be decoded',
    'Take it away or replace it where the message names it: nothing can be verified with it, here or by etcd.',
  ),
  'key-mismatch': gate(
    'the private key does not belong to the certificate',
    'Where certificates are made elsewhere, write certificate and key in one step.',
  ),
  'key-unsupported': gate(
    'the key of the certificate is of a kind that Calico and etcd cannot load',
    'Have it made with an EC key (P-256, P-384, P-521), an RSA key of 2048 bits or more, or an Ed25519 key.',
  ),
  'untrusted-chain': gate(
    'the certificate does not chain to the CA set that would be published with it',
    "Check the issuers of the PKI mount and AGENT_ETCD_CA_FILE; the mount must list the issuing CA's whole chain.",
  ),
  'wrong-name': gate(
    'the common name is not the wanted one, byte for byte',
    'Compare AGENT_COMMON_NAME with the PKI role. Vault compares names case-insensitively, etcd does not.',
  ),
  'not-client-auth': gate(
    'the certificate may not be used by a TLS client (no clientAuth)',
    'Set client_flag=true on the PKI role.',
  ),
  'not-yet-valid': gate(
    'the certificate becomes valid only in the future',
    "Synchronise the clocks of Vault and this node; keep the role's not_before_duration at 30s.",
  ),
  expired: gate('the certificate has expired', 'Check the clocks, and why it was not renewed in time.'),
  'lifetime-too-short': gate(
    'the certificate would be valid for too short a time',
    "Raise max_ttl of the PKI role, or check the issuer's own expiry.",
  ),
  'ca-lost': gate(
    'the new CA set lacks a CA that a certificate in use chains to',
    'Keep the old issuer in the PKI mount until every certificate that it signed has been replaced.',
  ),

  'etcd-permission-denied': probe(
    'awaited',
    'etcd knows the user but lets it do nothing',
    'Grant the user a role with its keys; the signed certificate is kept, and published as soon as etcd accepts it.',
  ),
  'etcd-unknown-user': probe(
    'awaited',
    'etcd has no user with this common name (yet)',
    'Add the user without a password; the signed certificate is kept, and published as soon as etcd accepts it.',
  ),
  'etcd-ignores-certificate': probe(
    'refused',
    'etcd does not take the user from the certificate',
    'Run etcd with --client-cert-auth, and let nothing between the node and etcd end TLS.',
  ),
  'etcd-rejected-certificate': probe(
    'refused',
    'etcd does not accept the certificate',
    "Add the issuing CA to etcd's --trusted-ca-file; check etcd's clock.",
  ),
  'etcd-untrusted-server': probe(
    'refused',
    "the certificate of etcd's server cannot be verified with the CA set that would be published",
    "Name the CA of etcd's servers in AGENT_ETCD_CA_FILE, and check that ETCD_ENDPOINTS uses the names in their certificates.",
  ),
  'etcd-bad-answer': probe(
    'outage',
    'what was asked does not answer as etcd does',
    'Check ETCD_ENDPOINTS. etcd closes the connection of a revoked certificate (--client-crl-file) without a word.',
  ),
  'etcd-unheard': probe(
    'outage',
    'etcd could not be asked whether it accepts the certificate',
    'Check ETCD_ENDPOINTS, network policies, and that etcd runs and has a leader.',
  ),

  'vault-name-unresolved': outage(
    'the host name of Vault cannot be resolved',
    'Check VAULT_ADDR and DNS; a hostNetwork pod needs dnsPolicy ClusterFirstWithHostNet for names of services.',
  ),
  'vault-unreachable': outage('Vault cannot be reached', 'Check VAULT_ADDR, network policies and that Vault runs.'),
  'vault-tls': outage(
    "Vault's TLS certificate is not accepted, or Vault refuses ours",
    'Check VAULT_CACERT, VAULT_TLS_SERVER_NAME and the client certificate.',
  ),
  'vault-proxy': outage(
    'the proxy on the way to Vault fails or refuses',
    'Check HTTPS_PROXY or VAULT_PROXY_ADDR with its user and password, and NO_PROXY.',
  ),
  'vault-timeout': outage('Vault did not answer in time', 'Check the load of Vault, or raise VAULT_CLIENT_TIMEOUT.'),
  'vault-connection-lost': outage(
    'the connection to Vault ended in the middle of a request',
    'Usually passes by itself.',
  ),
  'vault-sealed': outage('Vault is sealed or not initialized', 'Unseal Vault.'),
  'vault-standby': outage('this Vault node is a standby that cannot serve the request', 'Usually passes by itself.'),
  'vault-rate-limited': outage(
    'a rate limit of Vault is exceeded',
    "Raise the quota; it counts by the client's address.",
  ),
  'vault-server-error': outage(
    'Vault answered with an internal error',
    "Read Vault's log. A PKI mount without a default issuer answers like this too.",
  ),
  'vault-bad-answer': outage(
    "the answer is not what Vault's API promises",
    'Check that VAULT_ADDR names Vault itself and not a proxy or a login page.',
  ),
  'vault-answer-too-large': outage('the answer is larger than 1 MiB', 'Check that VAULT_ADDR names Vault itself.'),
  'vault-redirect': outage(
    'Vault answered with a redirect that is not followed',
    'The message says why. Point VAULT_ADDR at the active node or at a load balancer that forwards to it.',
  ),
  'vault-login-refused': refused(
    'Vault refused the login',
    'Check AGENT_AUTH_MOUNT, AGENT_AUTH_ROLE and the claims of the token against the role in Vault.',
  ),
  'vault-denied': refused(
    'the token may not do this',
    'Check the policy of the role: update on <mount>/sign/<role>; with AGENT_SOURCE=kv, read on the path of the secret.',
  ),
  'vault-not-found': refused(
    'there is nothing at this path',
    'Check AGENT_PKI_MOUNT and AGENT_AUTH_MOUNT. A PKI mount without any issuer answers like this too.',
  ),
  'issuer-too-young': outage(
    'Vault has made the issuer so lately that a certificate would begin before it',
    'Nothing, if it passes within a minute: Vault signs once the issuer is older than not_before_duration of the role (30 s), and the agent tries again then.',
  ),
  'vault-request-refused': refused('Vault refused the request', 'Compare the message with the PKI role.'),
  'inline-auth-unsupported': refused(
    'the server does not know inline authentication',
    'Set AGENT_INLINE_AUTH=off, or use OpenBao 2.4 or newer.',
  ),

  'budget-spent': {
    about: 'budget',
    retry: 'refused',
    summary: 'more certificates were made within an hour than there is any need for',
    advice:
      'Look in the log for why: a crash, a name that changes to and fro, a gate that refuses. It goes on by itself; AGENT_ISSUANCE_BUDGET raises the limit.',
  },

  'credential-missing': auth('a file with a credential is missing or cannot be read', 'Mount it, or correct its path.'),
  'credential-invalid': auth('a credential is empty or malformed', 'Check what writes the file.'),
  'credential-expired': auth(
    'the service-account token has expired',
    'The kubelet should renew it: check the projected volume and the kubelet.',
  ),

  'wrong-node': auth(
    'the service-account token is bound to another node than NODE_NAME',
    'Set NODE_NAME from the downward API (spec.nodeName), and mount the token of this very pod.',
  ),

  ...storeReasons,
  ...sourceReasons,
  ...etcdReasons,
  ...kubeReasons,
  ...setupReasons,
  ...rotationReasons,
  'nodes-invalid': {
    about: 'file',
    retry: 'local',
    summary: 'the list of nodes cannot be used',
    advice: 'Correct it: nothing is taken from it until then, and nobody is removed.',
  },
  'file-invalid': {
    about: 'file',
    retry: 'local',
    summary: 'a configured certificate or key file cannot be read or parsed',
    advice: 'Check the file that the message names.',
  },
} as const satisfies Record<string, Reason>

export type ReasonCode = keyof typeof reasons

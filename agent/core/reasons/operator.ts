/** Owns the reasons of the commands that a person runs: `provision`, `setup-vault`, `rotate-ca`. */
import { type Reason, reasonsAbout } from '../reason.ts'

const etcd = reasonsAbout('etcd')

/** Why `provision` failed at etcd; those of the probe belong to the gate. */
export const etcdReasons = {
  'etcd-unreachable': etcd.outage(
    'no member of etcd can be reached',
    'Check ETCD_ENDPOINTS, network policies and that etcd runs.',
  ),
  'etcd-tls': etcd.outage(
    "etcd's TLS certificate is not accepted, or etcd refuses ours",
    "Check ETCD_CA_CERT_FILE (the CA of etcd's server certificates), ETCD_CERT_FILE and ETCD_KEY_FILE.",
  ),
  'etcd-timeout': etcd.outage('etcd did not answer in time', 'Check the load of etcd and its disk.'),
  'etcd-no-leader': etcd.outage(
    'etcd has no leader: more than half of its members must be up',
    'Bring the members back. Then run the same command again: it goes on where this one stopped.',
  ),
  'etcd-busy': etcd.outage('etcd asked to try the request again', 'It usually passes by itself.'),
  'etcd-no-space': etcd.refused(
    'the database of etcd is full',
    'Compact and defragment etcd, raise its quota, and disarm the alarm NOSPACE.',
  ),
  'etcd-denied': etcd.refused(
    'etcd does not let this certificate do it',
    'Use the certificate of a user with the role root; its common name is the name of the user.',
  ),
  'etcd-refused': etcd.refused('etcd refused the request', 'Read the message.'),
  'etcd-too-old': etcd.refused(
    'this etcd has no users without a password',
    'Use etcd 3.4 or newer; 3.5.33, 3.6.14 or newer is recommended.',
  ),
  'etcd-conflict': etcd.refused(
    'etcd holds something that provision did not make and will not change',
    'Do what the message says, or use other names.',
  ),
  'etcd-contended': etcd.outage(
    'somebody else keeps changing the same users and roles',
    'Look for a second provision with other components, naming or nodes.',
  ),
  'etcd-lockout': etcd.refused(
    'enabling authentication now would lock somebody out',
    'Nothing was switched on. Do what the message says and run the command again.',
  ),
} as const satisfies Record<string, Reason>

const kube = reasonsAbout('kube')

/** Why the Kubernetes API could not tell the nodes. */
export const kubeReasons = {
  'kube-unreachable': kube.outage(
    'the Kubernetes API cannot be reached',
    'Check network policies, and that the API server runs. Users of new nodes are made as soon as it answers.',
  ),
  'kube-tls': kube.outage(
    "the Kubernetes API's TLS certificate is not accepted",
    'Check ca.crt in AGENT_KUBERNETES_DIR, and that nothing stands between the pod and the API server.',
  ),
  'kube-timeout': kube.outage('the Kubernetes API did not answer in time', 'It usually passes by itself.'),
  'kube-busy': kube.outage('the Kubernetes API is overloaded or not ready', 'It usually passes by itself.'),
  'kube-expired': kube.outage(
    'the Kubernetes API no longer has the changes since the last one seen',
    'Nothing to do. The agent lists all nodes again.',
  ),
  'kube-bad-answer': kube.outage(
    'the answer is not what the Kubernetes API promises',
    'Nothing is taken from it. Check that KUBERNETES_SERVICE_HOST names an API server, not a proxy.',
  ),
  'kube-unauthorized': kube.refused(
    'the Kubernetes API does not know the service-account token',
    'Check that the token in AGENT_KUBERNETES_DIR is of this cluster and for its API.',
  ),
  'kube-denied': kube.refused(
    'the service account may not list and watch nodes',
    'Bind it to a ClusterRole with list and watch of nodes (docs/etcd.md).',
  ),
} as const satisfies Record<string, Reason>

const setup = reasonsAbout('setup')

/** Why Vault cannot be set up. */
export const setupReasons = {
  'setup-denied': setup.refused(
    'the token may not set Vault up',
    'Use the token of an administrator, or give it the policy manifests/vault/operator.hcl.',
  ),
  'setup-refused': setup.refused(
    'Vault refuses what the setup asks for',
    'Correct the file and apply again. What was done so far stays done.',
  ),
  'setup-conflict': setup.refused(
    'Vault holds something that setup-vault did not make and will not change',
    'Do what the message says. --adopt takes over what is there.',
  ),
  'setup-contended': setup.refused(
    'Vault does not keep what was just written',
    'Look for a second setup-vault or Terraform with other values. A server that is too old drops fields that it does not know.',
  ),
} as const satisfies Record<string, Reason>

const rotation = reasonsAbout('rotation')

/** Why a CA rotation does not go on. */
export const rotationReasons = {
  'rotation-refused': rotation.refused(
    'the CA rotation must not go on',
    'Do what the message says, then run the same command again: it goes on from what Vault and the agents say.',
  ),
  'rotation-waiting': rotation.awaited(
    'the CA rotation still waits',
    'Run the same command again, or with a longer --wait: it goes on from what Vault and the agents say.',
  ),
  'rotation-contended': rotation.refused(
    'the issuers of Vault were changed by somebody else in the meantime',
    'Look for a second rotate-ca or Terraform, then run the same command again.',
  ),
  'rotation-denied': rotation.refused('the token may not rotate the CA', 'Give it the policy in docs/ca-rotation.md.'),
  'prometheus-failed': rotation.outage(
    'Prometheus does not tell what the agents say',
    'Check --prometheus, its token and --selector, or name the agents themselves with --agents.',
  ),
} as const satisfies Record<string, Reason>

/** Owns the reasons why `provision` failed at etcd; those of the probe belong to the gate (../reasons.ts). */
import type { Reason, RetryClass } from '../reason.ts'

const etcd = (retry: RetryClass, summary: string, advice: string): Reason => ({ about: 'etcd', retry, summary, advice })

export const etcdReasons = {
  'etcd-unreachable': etcd(
    'outage',
    'no member of etcd can be reached',
    'Check ETCD_ENDPOINTS, network policies and that etcd runs.',
  ),
  'etcd-tls': etcd(
    'outage',
    "etcd's TLS certificate is not accepted, or etcd refuses ours",
    "Check ETCD_CA_CERT_FILE (the CA of etcd's server certificates), ETCD_CERT_FILE and ETCD_KEY_FILE.",
  ),
  'etcd-timeout': etcd('outage', 'etcd did not answer in time', 'Check the load of etcd and its disk.'),
  'etcd-no-leader': etcd(
    'outage',
    'etcd has no leader: more than half of its members must be up',
    'Bring the members back; then run the same command again, which goes on where this one stopped.',
  ),
  'etcd-busy': etcd('outage', 'etcd asked to try the request again', 'Usually passes by itself.'),
  'etcd-no-space': etcd(
    'refused',
    'the database of etcd is full',
    'Compact and defragment etcd, raise its quota, and disarm the alarm NOSPACE.',
  ),
  'etcd-denied': etcd(
    'refused',
    'etcd does not let this certificate do it',
    'Use the certificate of a user with the role root; its common name is the name of the user.',
  ),
  'etcd-refused': etcd('refused', 'etcd refused the request', 'Look at the message.'),
  'etcd-too-old': etcd(
    'refused',
    'this etcd has no users without a password',
    'Use etcd 3.4 or newer; 3.5.33, 3.6.14 or newer is recommended.',
  ),
  'etcd-conflict': etcd(
    'refused',
    'etcd holds something that provision did not make and will not change',
    'Do what the message says, or use other names.',
  ),
  'etcd-contended': etcd(
    'outage',
    'somebody else keeps changing the same users and roles',
    'Look for a second provision with other components, naming or nodes.',
  ),
  'etcd-lockout': etcd(
    'refused',
    'enabling authentication now would lock somebody out',
    'Nothing was switched on. Do what the message says and run the command again.',
  ),
} as const satisfies Record<string, Reason>

/** Owns the reasons why the Kubernetes API could not tell the nodes. */
import type { Reason, RetryClass } from '../reason.ts'

const kube = (retry: RetryClass, summary: string, advice: string): Reason => ({ about: 'kube', retry, summary, advice })

export const kubeReasons = {
  'kube-unreachable': kube(
    'outage',
    'the Kubernetes API cannot be reached',
    'Check network policies, and that the API server runs. Users of new nodes are made as soon as it answers.',
  ),
  'kube-tls': kube(
    'outage',
    "the Kubernetes API's TLS certificate is not accepted",
    'Check ca.crt in AGENT_KUBERNETES_DIR, and that nothing stands between the pod and the API server.',
  ),
  'kube-timeout': kube('outage', 'the Kubernetes API did not answer in time', 'Usually passes by itself.'),
  'kube-busy': kube('outage', 'the Kubernetes API is overloaded or not ready', 'Usually passes by itself.'),
  'kube-expired': kube(
    'outage',
    'the Kubernetes API has forgotten the changes since the last one that was seen',
    'Nothing to do: all nodes are listed again.',
  ),
  'kube-bad-answer': kube(
    'outage',
    'the answer is not what the Kubernetes API promises',
    'Nothing is taken from it. Check that KUBERNETES_SERVICE_HOST names an API server and no proxy.',
  ),
  'kube-unauthorized': kube(
    'refused',
    'the Kubernetes API does not know the service-account token',
    'Check that the token in AGENT_KUBERNETES_DIR is of this cluster and for its API.',
  ),
  'kube-denied': kube(
    'refused',
    'the service account may not list and watch nodes',
    'Bind it to a ClusterRole with list and watch of nodes (docs/etcd.md).',
  ),
} as const satisfies Record<string, Reason>

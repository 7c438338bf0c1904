/**
 * Owns the Kubernetes objects that tests need. There is no controller, so the order is the test's: a service account
 * before the pods that use it, a node before its pods.
 */
import { stringAt } from './https-json.ts'
import type { KubeApiserver } from './real-kube-apiserver.ts'

type Kube = Pick<KubeApiserver, 'request'>

export interface PodOptions {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly serviceAccount: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface TokenOptions {
  readonly namespace: string
  readonly serviceAccount: string
  /** Absent: bound to nothing but the service account, without node or pod claims. */
  readonly pod?: string
  /** Instead of a pod: bound to the Node object, which whoever may create tokens is free to choose. */
  readonly boundNode?: string
  /** Default: the API server's own. */
  readonly audiences?: readonly string[]
  /** At least 600, which is the default. */
  readonly expirationSeconds?: number
}

export async function createServiceAccount(kube: Kube, namespace: string, name: string): Promise<void> {
  await create(kube, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } })
}

export async function createNode(kube: Kube, name: string): Promise<void> {
  await create(kube, '/api/v1/nodes', { metadata: { name } })
}

export async function deleteNode(kube: Kube, name: string): Promise<void> {
  await expectSuccess(kube, 'DELETE', `/api/v1/nodes/${name}`)
}

/** A pod that is assigned to the node and, without a kubelet, stays Pending. */
export async function createPod(kube: Kube, { namespace, name, node, ...options }: PodOptions): Promise<void> {
  await create(kube, `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name, labels: options.labels ?? {} },
    spec: {
      nodeName: node,
      hostNetwork: true,
      serviceAccountName: options.serviceAccount,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'example.invalid/image' }],
    },
  })
}

/** What the kubelet projects into a pod, by the same TokenRequest. */
export async function requestToken(kube: Kube, options: TokenOptions): Promise<string> {
  const { namespace, serviceAccount, pod, boundNode, audiences, expirationSeconds = 600 } = options
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`
  const answer = await expectSuccess(kube, 'POST', path, {
    spec: {
      audiences: audiences ?? [],
      expirationSeconds,
      ...(pod !== undefined && { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod } }),
      ...(boundNode !== undefined && { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: boundNode } }),
    },
  })
  return stringAt(answer, 'status', 'token')
}

/** Lets the service account ask for token reviews, as the reviewer of Vault's kubernetes auth method must. */
export async function allowTokenReview(kube: Kube, namespace: string, serviceAccount: string): Promise<void> {
  await bindClusterRole(kube, 'system:auth-delegator', { kind: 'ServiceAccount', name: serviceAccount, namespace })
}

/** Lets the service account see the nodes, and nothing else. */
export async function allowNodes(kube: Kube, namespace: string, serviceAccount: string): Promise<void> {
  await create(kube, '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'test-nodes' },
    rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }],
  })
  await bindClusterRole(kube, 'test-nodes', { kind: 'ServiceAccount', name: serviceAccount, namespace })
}

/** Lets anybody read the keys that tokens are checked with: Vault shows no token when it fetches a `jwks_url`. */
export async function allowAnonymousIssuerDiscovery(kube: Kube): Promise<void> {
  await bindClusterRole(kube, 'system:service-account-issuer-discovery', {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'Group',
    name: 'system:unauthenticated',
  })
}

async function bindClusterRole(kube: Kube, role: string, subject: Readonly<Record<string, string>>): Promise<void> {
  await create(kube, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: `test-${role}-${subject['name']}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [subject],
  })
}

/** What is there already is left as it is. */
async function create(kube: Kube, path: string, object: object): Promise<void> {
  const { status, body } = await kube.request('POST', path, object)
  if (status !== 201 && status !== 409) throw new Error(`POST ${path}: ${status} ${JSON.stringify(body)}`)
}

async function expectSuccess(kube: Kube, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await kube.request(method, path, body)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** A kind of somebody else's, with whatever fields. */
export async function createKind(
  kube: KubeApiserver,
  { group, kind, plural }: { readonly group: string; readonly kind: string; readonly plural: string },
): Promise<void> {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  await create(kube, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, plural },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  })
}

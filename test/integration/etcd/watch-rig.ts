/** Owns what the tests of `provision watch` share: an account that may see nodes, and the program with its environment. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { etcdPut } from '../../support/etcd-grpc.ts'
import { allowNodes, createServiceAccount, requestToken } from '../../support/kube-objects.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import type { KubeApiserver } from '../../support/real-kube-apiserver.ts'

const account = { namespace: 'kube-system', serviceAccount: 'calico-provisioner' }
/** gRPC's PERMISSION_DENIED. */
export const denied = 7
const P = '/calico/resources/v3/projectcalico.org/'

/** What the kubelet mounts into the provisioner's pod. */
export async function writeServiceAccount(kube: KubeApiserver, directory: string): Promise<void> {
  await createServiceAccount(kube, account.namespace, account.serviceAccount)
  await allowNodes(kube, account.namespace, account.serviceAccount)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'token'), await requestToken(kube, account))
  writeFileSync(join(directory, 'ca.crt'), kube.caPem)
}

/** @param url instead of the API server's own, something in front of it */
export function kubeEnvironment(directory: string, url: string): Record<string, string> {
  const { hostname, port } = new URL(url)
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, AGENT_KUBERNETES_DIR: directory }
}

/** 'ok', or etcd's refusal, of calico-node on this node writing its own key. */
export async function putOwn(etcd: RealEtcd, node: string): Promise<string | number> {
  const answer = await etcdPut(await etcd.client(`calico-node:${node}`), `${P}nodes/${node}`, '{}')
  return answer.ok ? 'ok' : answer.code
}

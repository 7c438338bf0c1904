/** Owns, of a control plane beside a real kube-apiserver, the controller that fills the Secrets of service accounts. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireServer } from '../servers/locate.ts'
import { type ChildServer, spawnServer } from './child-server.ts'
import type { KubeApiserver } from './real-kube-apiserver.ts'

/** Of the administrator. @returns its path */
export function writeKubeconfig(kube: KubeApiserver, directory: string): string {
  const path = join(directory, 'kubeconfig')
  const cluster = { server: kube.url, 'certificate-authority-data': Buffer.from(kube.caPem).toString('base64') }
  const user = {
    'client-certificate-data': Buffer.from(kube.adminCertificatePem).toString('base64'),
    'client-key-data': Buffer.from(kube.adminKeyPem).toString('base64'),
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster }],
    users: [{ name: 'here', user }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'here' } }],
    'current-context': 'here',
  }
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
  return path
}

/** Needs the program `kubernetes`: ask `locateServer` first. */
export function startTokenController(kube: KubeApiserver, kubeconfig: string): ChildServer {
  return spawnServer({
    name: 'kube-controller-manager',
    path: requireServer('kubernetes').path,
    args: [
      'kube-controller-manager',
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--secure-port=0',
      '--controllers=serviceaccount-token-controller',
      `--service-account-private-key-file=${join(kube.directory, 'sa-key.pem')}`,
      `--root-ca-file=${join(kube.directory, 'ca.pem')}`,
    ],
  })
}

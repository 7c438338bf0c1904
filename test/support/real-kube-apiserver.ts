/**
 * Owns one real kube-apiserver for a test, on an etcd of its own. No controller and no kubelet runs: service accounts,
 * nodes and pods are what the test creates (kube-objects.ts), and pods never start.
 */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireServer } from '../servers/locate.ts'
import { createCa, type TestCa, type TestCertificate } from './certificates.ts'
import { type ChildServer, freePort, spawnServer } from './child-server.ts'
import { type JsonResponse, requestJson } from './https-json.ts'
import { startPlainEtcd } from './real-etcd.ts'

export interface KubeApiserver {
  /** `https://HOST:PORT` */
  readonly url: string
  readonly caPem: string
  /** Its files: `ca.pem`, `sa-key.pem` and others. */
  readonly directory: string
  /** A client certificate of the user `admin`, who may do everything. */
  readonly adminCertificatePem: string
  readonly adminKeyPem: string
  /** `iss` of service account tokens, and the audience of a token that names none. */
  readonly issuer: string
  /** As admin. Every status is an answer. */
  request(method: string, path: string, body?: unknown): Promise<JsonResponse>
  /** Ends it as a crash does and starts it anew, on the same data and port. It has forgotten which changes came before. */
  restart(): Promise<void>
  stop(): Promise<void>
}

interface Files {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly serviceAccountKey: string
  readonly serviceAccountPublicKey: string
  readonly tokens: string
  readonly adminCert: string
  readonly adminKey: string
}

const issuer = 'https://kubernetes.default.svc'
const readyTimeoutMs = 90_000

export interface KubeApiserverOptions {
  /** The address of this machine by which its clients call it. Default: 127.0.0.1. */
  readonly host?: string
  /** Whom it lets in by a token, besides `admin`. */
  readonly users?: readonly { readonly token: string; readonly name: string; readonly group?: string }[]
  /** A kubelet lets it in by the administrator's certificate. Default: no admission plugin besides upstream's own. */
  readonly flags?: readonly string[]
}

/** Rejects when there is no program: ask `locateServer('kube-apiserver')` and `locateServer('etcd')` first. */
export async function startKubeApiserver(options: KubeApiserverOptions = {}): Promise<KubeApiserver> {
  const { host = '127.0.0.1' } = options
  const program = requireServer('kube-apiserver')
  const etcd = await startPlainEtcd()
  const directory = await mkdtemp(join(tmpdir(), 'real-kube-'))
  const ca = await createCa({ commonName: 'real kube CA' })
  const bootstrapToken = randomBytes(16).toString('hex')
  const admin = await ca.issue({ commonName: 'admin', client: true })
  const files = await writeFiles(directory, ca, admin, bootstrapToken, options)
  const port = await freePort()
  const url = `https://${host}:${port}`
  const spawn = () =>
    spawnServer({
      name: 'kube-apiserver',
      path: program.path,
      args: [...apiserverArguments(etcd.endpoint, host, port, directory, files), ...(options.flags ?? [])],
      env: { TEST_STOP_ON_STDIN_END: '1' },
    })
  let child = spawn()
  const stop = async () => {
    // SIGKILL: a graceful stop drains for seconds, and there is nothing to save.
    await child.kill()
    await etcd.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const server = { url, directory, caPem: ca.certificatePem, adminCertificatePem: admin.certificatePem }
    const request: KubeApiserver['request'] = (method, path, body) =>
      requestJson({
        url: url + path,
        method,
        body,
        ca: ca.certificatePem,
        cert: admin.certificatePem,
        key: admin.privateKeyPem,
      })
    await waitUntilReady(child, url, ca.certificatePem, bootstrapToken)
    await bindAdmin(url, ca.certificatePem, bootstrapToken)
    await child.until(async () => {
      const { status } = await request('GET', '/api/v1/namespaces/kube-system')
      return status === 200 || undefined
    }, readyTimeoutMs)
    const restart = async () => {
      await child.kill()
      child = spawn()
      await waitUntilReady(child, url, ca.certificatePem, bootstrapToken)
    }
    return { ...server, adminKeyPem: admin.privateKeyPem, issuer, request, restart, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function waitUntilReady(child: ChildServer, url: string, ca: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  await child.until(async () => {
    const { status } = await requestJson({ url: `${url}/readyz`, ca, headers })
    return status === 200 || undefined
  }, readyTimeoutMs)
}

/** The administrator's certificate has no group, so its user gets the rights by a binding, made with the token's. */
async function bindAdmin(url: string, ca: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const { status, body } = await requestJson({
    url: `${url}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`,
    method: 'POST',
    ca,
    headers,
    body: {
      metadata: { name: 'test-admin' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'admin' }],
    },
  })
  if (status !== 201) throw new Error(`kube-apiserver: no rights for admin: ${status} ${JSON.stringify(body)}`)
}

async function writeFiles(
  directory: string,
  ca: TestCa,
  admin: TestCertificate,
  bootstrapToken: string,
  { host = '127.0.0.1', users = [] }: KubeApiserverOptions,
): Promise<Files> {
  const file = (name: string) => join(directory, name)
  const files: Files = {
    ca: file('ca.pem'),
    cert: file('cert.pem'),
    key: file('key.pem'),
    serviceAccountKey: file('sa-key.pem'),
    serviceAccountPublicKey: file('sa-public-key.pem'),
    tokens: file('tokens.csv'),
    adminCert: file('admin.pem'),
    adminKey: file('admin-key.pem'),
  }
  const [leaf, serviceAccount] = await Promise.all([
    ca.issue({
      commonName: 'kube-apiserver',
      server: true,
      dnsNames: ['localhost', 'kubernetes', 'kubernetes.default.svc'],
      // 10.96.0.1 is the first of the Services' addresses, and its own.
      ipAddresses: [host, '10.96.0.1'],
    }),
    // RSA, as kubeadm makes it: tokens are signed with RS256.
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }),
  ])
  const secret = { mode: 0o600 }
  const tokens = [{ token: bootstrapToken, name: 'bootstrap', group: 'system:masters' }, ...users].map(
    ({ token, name, group = '' }) => `${token},${name},${name},"${group}"\n`,
  )
  await Promise.all([
    writeFile(files.ca, ca.certificatePem),
    writeFile(files.cert, leaf.certificatePem),
    writeFile(files.key, leaf.privateKeyPem, secret),
    writeFile(files.serviceAccountKey, serviceAccount.privateKey, secret),
    writeFile(files.serviceAccountPublicKey, serviceAccount.publicKey),
    writeFile(files.tokens, tokens.join(''), secret),
    writeFile(files.adminCert, admin.certificatePem),
    writeFile(files.adminKey, admin.privateKeyPem, secret),
  ])
  return files
}

function apiserverArguments(
  etcdEndpoint: string,
  host: string,
  port: number,
  directory: string,
  files: Files,
): string[] {
  return [
    `--etcd-servers=${etcdEndpoint}`,
    `--bind-address=${host}`,
    `--advertise-address=${host}`,
    `--secure-port=${port}`,
    `--tls-cert-file=${files.cert}`,
    `--tls-private-key-file=${files.key}`,
    `--cert-dir=${directory}`,
    `--client-ca-file=${files.ca}`,
    `--token-auth-file=${files.tokens}`,
    '--authorization-mode=Node,RBAC',
    '--anonymous-auth=true',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none',
    // As wherever Calico runs.
    '--allow-privileged=true',
    `--service-account-issuer=${issuer}`,
    `--api-audiences=${issuer}`,
    `--service-account-jwks-uri=https://${host}:${port}/openid/v1/jwks`,
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    `--service-account-key-file=${files.serviceAccountPublicKey}`,
    // How a kubelet knows it: logs, exec.
    `--kubelet-client-certificate=${files.adminCert}`,
    `--kubelet-client-key=${files.adminKey}`,
    '--kubelet-preferred-address-types=InternalIP',
  ]
}

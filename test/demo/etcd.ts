/** Owns what the demo's nodes connect to: a real etcd where it is built, else a small TLS server that decides as etcd does. */
import { readFileSync, realpathSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { locateServer } from '../servers/locate.ts'
import { createCa } from '../support/certificates.ts'
import { etcdAuth } from '../support/etcd-auth.ts'
import { etcdGet } from '../support/etcd-grpc.ts'
import { startRealEtcd } from '../support/real-etcd.ts'
import { createTempFile } from './temp.ts'

export interface DemoEtcd {
  readonly name: string
  /** The CA of its own certificate. */
  readonly caFile: string
  /** One new connection with the published files and one read. Answers `ok`, or why not. */
  ask(directory: string): Promise<string>
  stop(): Promise<void>
}

/** @param users common names that may read */
export async function startDemoEtcd(clientCaPem: string, users: readonly string[]): Promise<DemoEtcd> {
  return 'missing' in locateServer('etcd')
    ? await startSmallServer(clientCaPem, users)
    : await startEtcd(clientCaPem, users)
}

/** Certificate, key and CA of one generation: whoever resolves the directory once never sees two. */
function readFiles(directory: string): { cert: string; key: string; ca: string } {
  const generation = realpathSync(join(directory, '..data'))
  const read = (name: string): string => readFileSync(join(generation, name), 'utf8')
  return { cert: read('etcd-cert'), key: read('etcd-key'), ca: read('etcd-ca') }
}

async function startEtcd(clientCaPem: string, users: readonly string[]): Promise<DemoEtcd> {
  const etcd = await startRealEtcd({ clientCaPem })
  const auth = etcdAuth({ ...(await etcd.client('root')) })
  await auth.addRole('calico')
  await auth.grantPrefix('calico', 'readwrite', '/calico/')
  for (const user of users) {
    await auth.addUser(user)
    await auth.grantRole(user, 'calico')
  }
  await auth.enable()
  return {
    name: 'a real etcd with client certificates, users and roles',
    caFile: etcd.caFile,
    async ask(directory) {
      const answer = await etcdGet({ endpoint: etcd.endpoint, ...readFiles(directory) }, '/calico/ready')
      return answer.ok ? 'ok' : `${answer.code}: ${answer.message}`
    },
    stop: () => etcd.stop(),
  }
}

async function startSmallServer(clientCaPem: string, users: readonly string[]): Promise<DemoEtcd> {
  const ca = await createCa({ commonName: 'etcd server CA' })
  const identity = await ca.issue({ commonName: 'etcd', ipAddresses: ['127.0.0.1'], server: true })
  const server = createServer(
    {
      cert: identity.certificatePem,
      key: identity.privateKeyPem,
      ca: clientCaPem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket) => {
      const { CN } = socket.getPeerCertificate().subject
      socket.on('error', () => {})
      socket.end(typeof CN === 'string' && users.includes(CN) ? 'ok' : 'permission denied')
    },
  )
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const caFile = createTempFile('etcd-ca.pem', ca.certificatePem)
  return {
    name: 'a small TLS server that demands client certificates (`npm run servers` builds a real etcd)',
    caFile,
    ask: (directory) =>
      new Promise((resolve) => {
        try {
          const socket = connect({ host: '127.0.0.1', port, ...readFiles(directory) })
          let answer = ''
          socket.on('data', (chunk: Buffer) => {
            answer += chunk.toString()
          })
          socket.on('error', (error) => resolve(error.message))
          socket.on('close', () => resolve(answer))
        } catch (error) {
          // A key that does not belong to the certificate is refused before anything is sent.
          resolve(error instanceof Error ? error.message : String(error))
        }
      }),
    stop: async () => {
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

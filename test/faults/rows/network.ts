/** Owns the faults between the agent and Vault: connections, TLS, and answers that are none. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { createCa } from '../../support/certificates.ts'
import { type ConnectProxy, startConnectProxy } from '../../support/connect-proxy.ts'
import { type ProxyFault, serverIdentity } from '../../support/fault-proxy.ts'
import { resetConnection } from '../../support/http-fault-server.ts'
import { canMount } from '../../support/temp-dir.ts'
import type { FaultRow, Stage } from '../row.ts'

const group = 'network'
type Reasons = FaultRow['reasons']

function through(
  name: string,
  reasons: Reasons,
  fault: ProxyFault | ((stage: Stage) => Promise<ProxyFault>),
  env: Readonly<Record<string, string>> = {},
): FaultRow {
  return {
    group,
    name,
    reasons,
    env: () => env,
    inject: async (stage) => stage.proxy.setFault(typeof fault === 'function' ? await fault(stage) : fault),
    recover: ({ proxy }) => proxy.setFault(undefined),
  }
}

const answering = (text: string) => ({ onRequest: (client: TLSSocket) => void client.end(text) })

export function httpAnswer(status: string, headers: readonly string[] = [], body = ''): string {
  return [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, ...headers, '', body].join('\r\n')
}

/** The way to Vault leads through a proxy, which goes. */
function throughProxy(): FaultRow {
  let tunnels: ConnectProxy | undefined
  return {
    group,
    name: 'the proxy on the way is gone',
    reasons: ['vault-proxy'],
    async env({ onEnd }) {
      const started = await startConnectProxy()
      onEnd(() => started.close())
      tunnels = started
      return { VAULT_PROXY_ADDR: started.origin }
    },
    async inject() {
      if (tunnels?.asked.length === 0) throw new Error('the proxy was not asked')
      await tunnels?.close()
    },
    recover: () => tunnels?.open(),
  }
}

/** One byte a second; the agent's deadline is what ends it. */
function drip(client: TLSSocket, answer: Buffer): void {
  let sent = 0
  const timer = setInterval(() => client.write(answer.subarray(sent, ++sent)), 1000)
  client.on('close', () => clearInterval(timer))
}

/** The last moment that JavaScript has a date for. */
const endOfTime = 'date: Sat, 13 Sep 275760 00:00:00 GMT'

const tooYoung = httpAnswer('400 Bad Request', [], `{"errors":["notBefore before signer's notBefore"]}`)

const impostor = async (): Promise<ProxyFault> => ({
  tls: await serverIdentity(await createCa({ commonName: 'Vault front CA' })),
})

export const networkRows: readonly FaultRow[] = [
  {
    group,
    name: 'connection refused',
    reasons: ['vault-unreachable'],
    inject: ({ proxy }) => proxy.close(),
    recover: ({ proxy }) => proxy.open(),
  },
  through('reset when connected', ['vault-connection-lost'], {
    onConnection: (socket) => void socket.resetAndDestroy(),
  }),
  through('reset in the TLS handshake', ['vault-connection-lost'], {
    onConnection: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
  }),
  through('reset after the request', ['vault-connection-lost'], { onRequest: resetConnection }),
  through('reset in the answer', ['vault-connection-lost'], {
    onAnswer: (client, answer) => void client.write(answer.subarray(0, 40), () => resetConnection(client)),
  }),
  through('black hole: connected, and silence', ['vault-timeout'], { onConnection: (socket) => void socket.resume() }),
  through('request taken, no answer', ['vault-timeout'], { onRequest: () => {} }),
  through('one byte a second', ['vault-timeout'], { onAnswer: drip }),
  through('half an answer, then closed', ['vault-connection-lost'], {
    onAnswer: (client, answer) => void client.end(answer.subarray(0, answer.length / 2)),
  }),
  through('garbage instead of HTTP', ['vault-bad-answer'], answering('SSH-2.0-OpenSSH_9.6\r\n\r\n')),
  through('a web page', ['vault-bad-answer'], answering(httpAnswer('200 OK', [], '<html>Please log in</html>'))),
  through(
    'redirected in a circle',
    ['vault-redirect'],
    // Without the second header, the next request could go into the connection that is just being closed.
    answering(httpAnswer('307 Temporary Redirect', ['location: /v1/pki/issuers?list=true', 'connection: close'])),
  ),
  through(
    'redirected to another host',
    ['vault-redirect'],
    answering(httpAnswer('307 Temporary Redirect', ['location: https://vault.example.org/v1/x'])),
  ),
  through('429 without Retry-After', ['vault-rate-limited'], answering(httpAnswer('429 Too Many Requests'))),
  through('status 000', ['vault-bad-answer'], answering(httpAnswer('000 Nothing'))),
  through('status 099', ['vault-bad-answer'], answering(httpAnswer('099 Less'))),
  through('a 503 of the year 275760', ['vault-standby'], answering(httpAnswer('503 No', [endOfTime]))),
  through('a signature is refused: the issuer is too young', ['issuer-too-young'], async ({ proxy }) => ({
    onAnswer: (client, answer) =>
      void (proxy.requests.at(-1)?.path.includes('/sign/') ? client.end(tooYoung) : client.write(answer)),
  })),
  through('another CA: an impostor', ['vault-tls'], impostor),
  through('an impostor, and NODE_TLS_REJECT_UNAUTHORIZED=0', ['vault-tls'], impostor, {
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  }),
  through('a certificate for another host', ['vault-tls'], async ({ proxy }) => ({
    tls: await serverIdentity(proxy.ca, { ipAddress: '192.0.2.1' }),
  })),
  through('an expired server certificate', ['vault-tls'], async ({ proxy }) => ({
    tls: await serverIdentity(proxy.ca, { notAfter: new Date(Date.now() - 60_000) }),
  })),
  through('TLS 1.1 at most: downgraded', ['vault-tls'], {
    tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
  }),
  throughProxy(),
  {
    group,
    name: 'the name of Vault is gone from DNS',
    reasons: ['vault-name-unresolved'],
    leftOut: canMount ? undefined : 'needs root, for a hosts file of its own',
    env: ({ proxy }) => ({ VAULT_ADDR: `https://vault.test:${proxy.port}` }),
    wrapper: (stage) => {
      writeNames(stage, '127.0.0.1 vault.test\n')
      const mounts = ['hosts', 'resolv.conf'].map((name) => `mount --bind ${join(stage.scratch, name)} /etc/${name}`)
      return ['unshare', '--mount', 'sh', '-c', `${mounts.join(' && ')} && exec "$0" "$@"`]
    },
    inject: (stage) => writeNames(stage, ''),
    recover: (stage) => writeNames(stage, '127.0.0.1 vault.test\n'),
  },
]

/** The agent's own /etc/hosts, and a name server that nobody runs. */
function writeNames({ scratch }: Pick<Stage, 'scratch'>, hosts: string): void {
  writeFileSync(join(scratch, 'hosts'), hosts)
  writeFileSync(join(scratch, 'resolv.conf'), 'nameserver 127.0.0.1\noptions attempts:1 timeout:1\n')
}

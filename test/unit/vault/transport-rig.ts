/**
 * Owns the set-up of the transport's tests: a server with a good certificate, a transport that trusts it, and canary secrets in
 * the request that must not appear in any error.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { onTestFinished } from 'vitest'
import type { VaultAddress } from '../../../agent/config/vault.ts'
import { systemClock } from '../../../agent/core/clock.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import { createSkewMeter } from '../../../agent/vault/skew.ts'
import { createTransport, type Transport, type VaultRequest } from '../../../agent/vault/transport.ts'
import { createCa } from '../../support/certificates.ts'
import {
  type Answering,
  type FaultServer,
  type FaultServerOptions,
  startFaultServer,
} from '../../support/http-fault-server.ts'

export const canaries = { token: 'hvs.CANARYtokenCANARYtoken', jwt: 'eyJhbGciOi.eyJDQU5BUlki.CANARYjwt' } as const
const canaryKey = 'CANARYkeyCANARYkey'

export const testCa = await createCa({ commonName: 'Vault CA' })
export const serverCertificate = await testCa.issue({
  server: true,
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
})
export const serverTls = { cert: serverCertificate.certificatePem, key: serverCertificate.privateKeyPem }

export const signRequest: VaultRequest = {
  operation: 'sign',
  method: 'POST',
  path: '/v1/pki/sign/calico-node',
  headers: { 'X-Vault-Token': canaries.token },
  json: { jwt: canaries.jwt, key: canaryKey },
}

export interface TransportRig {
  readonly transport: Transport
  readonly events: AgentEvent[]
}

/** A transport to the origin (or those of `address`) that gives up after ten seconds, unless the test says otherwise. */
export function transportTo(origin: string, address: Partial<VaultAddress> = {}): TransportRig {
  const events: AgentEvent[] = []
  const transport = createTransport({
    address: {
      origins: [origin],
      namespace: undefined,
      caFile: undefined,
      caPem: (address.caFile ?? address.caDirectory) === undefined ? testCa.certificatePem : undefined,
      clientCertFile: undefined,
      clientKeyFile: undefined,
      serverName: undefined,
      timeoutMs: 10_000,
      redirects: true,
      caDirectory: undefined,
      proxies: undefined,
      ...address,
    },
    clock: systemClock,
    skew: createSkewMeter(systemClock, () => {}),
    emit: (event) => events.push(event),
  })
  onTestFinished(() => transport.destroy())
  return { transport, events }
}

/** A server for one test, with the good certificate unless the test says otherwise. */
export async function serve(
  answering: Answering,
  options: FaultServerOptions = { tls: serverTls },
): Promise<FaultServer> {
  const server = await startFaultServer(answering, options)
  onTestFinished(() => server.close())
  return server
}

/** The error of a request that has to fail: expected, told as an event under the same code, and without a secret. */
export async function failureOf({ transport, events }: TransportRig, request = signRequest): Promise<AgentError> {
  const error: unknown = await transport.request(request).then(
    () => new Error('the request succeeded'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof AgentError)) throw new Error('not an expected failure', { cause: error })
  const told = events.filter(({ type }) => type === 'vault-request')
  if (told.length !== 1 || !told.some((event) => 'outcome' in event && event.outcome === error.code)) {
    throw new Error(`${error.code} was told as ${inspect(told)}`)
  }
  const everything = [
    inspect(error, { depth: Infinity, showHidden: true }),
    error.stack,
    ...causes(error),
    inspect(events),
  ]
  const leaks = everything.filter((text) => text?.includes('CANARY'))
  if (leaks.length > 0) throw new Error(`a secret has leaked: ${leaks.join('\n')}`)
  return error
}

function causes(error: unknown): string[] {
  return error instanceof Error ? [error.message, String(error), ...causes(error.cause)] : []
}

/** TCP alone: what is sent there is taken, and never answered. */
export async function serveSilence(): Promise<Pick<FaultServer, 'origin'>> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.resume()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

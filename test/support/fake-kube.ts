/**
 * Owns the two things of a Kubernetes API server that Vault asks for: TokenReview, with the token really verified, and the JWKS of
 * the service-account keys. It can be made to deny, to fail, or to go silent.
 */
import { verify } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createCa } from './certificates.ts'
import { apiAudience, type ServiceAccountIssuer } from './service-account.ts'

export type FakeKubeMode = 'normal' | 'deny' | 'unauthorized' | 'error' | 'drop' | 'other-audience'

export interface FakeKube {
  /** `https://127.0.0.1:PORT`: `kubernetes_host`. */
  readonly address: string
  readonly caPem: string
  readonly jwksUrl: string
  /** A token that may review others. */
  readonly reviewerToken: string
  /** How many reviews were asked for. */
  readonly reviewCount: number
  mode: FakeKubeMode
  stop(): Promise<void>
}

interface Claims {
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iss: string
  readonly 'kubernetes.io': {
    readonly serviceaccount?: { readonly uid: string }
    readonly node?: { readonly name: string; readonly uid: string }
    readonly pod?: { readonly name: string; readonly uid: string }
  }
}

export async function startFakeKube(issuer: ServiceAccountIssuer): Promise<FakeKube> {
  const ca = await createCa({ commonName: 'Kubernetes CA' })
  const tls = await ca.issue({ commonName: 'kube-apiserver', ipAddresses: ['127.0.0.1'], server: true })
  const state = { mode: 'normal' as FakeKubeMode, reviewCount: 0 }
  const server = createServer({ key: tls.privateKeyPem, cert: tls.certificatePem }, (request, response) => {
    if (request.url === '/openid/v1/jwks') return reply(response, 200, issuer.jwks, 'application/jwk-set+json')
    if (request.url !== '/apis/authentication.k8s.io/v1/tokenreviews')
      return reply(response, 404, status(404, 'NotFound'))
    state.reviewCount += 1
    review(state.mode, issuer, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    address,
    caPem: ca.certificatePem,
    jwksUrl: `${address}/openid/v1/jwks`,
    reviewerToken: issuer.token({
      serviceAccount: 'vault-reviewer',
      audience: apiAudience,
      omit: ['node', 'pod'],
      expiresInSeconds: 86_400,
    }),
    get reviewCount() {
      return state.reviewCount
    },
    get mode() {
      return state.mode
    },
    set mode(mode) {
      state.mode = mode
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function review(
  mode: FakeKubeMode,
  issuer: ServiceAccountIssuer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  if (mode === 'drop') return void response.destroy()
  if (mode === 'error') return reply(response, 500, status(500, 'InternalError'))
  const bearer = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
  // A token for another audience is no credential here: it cannot even review itself.
  if (mode === 'unauthorized' || authenticate(issuer, bearer, [apiAudience]) === undefined) {
    return reply(response, 401, status(401, 'Unauthorized'))
  }
  const { spec } = JSON.parse(Buffer.concat(chunks).toString()) as { spec: { token: string; audiences?: string[] } }
  const wanted = spec.audiences ?? [apiAudience]
  const found = mode === 'deny' ? undefined : authenticate(issuer, spec.token, wanted)
  const audiences = mode === 'other-audience' ? ['another'] : wanted
  const result =
    found === undefined ? { user: {}, error: '[invalid bearer token]' } : { ...described(found), audiences }
  reply(response, 201, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec, status: result })
}

function authenticate(issuer: ServiceAccountIssuer, token: string, audiences: readonly string[]): Claims | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const content = Buffer.from(`${header}.${payload}`)
  if (signature === '' || !verify('sha256', content, issuer.publicKey, Buffer.from(signature, 'base64url')))
    return undefined
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
  const given = [claims.aud].flat()
  const isMeant = audiences.some((audience) => given.includes(audience))
  return isMeant && claims.iss === issuer.issuer && claims.exp * 1000 > Date.now() ? claims : undefined
}

function described(claims: Claims): object {
  const { serviceaccount, node, pod } = claims['kubernetes.io']
  const extra = {
    ...(node === undefined ? {} : { 'node-name': [node.name], 'node-uid': [node.uid] }),
    ...(pod === undefined ? {} : { 'pod-name': [pod.name], 'pod-uid': [pod.uid] }),
  }
  const prefixed = Object.entries(extra).map(([name, value]) => [`authentication.kubernetes.io/${name}`, value])
  const user = { username: claims.sub, uid: serviceaccount?.uid, groups: ['system:serviceaccounts'] }
  return { authenticated: true, user: { ...user, extra: Object.fromEntries(prefixed) as object } }
}

function status(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: reason, reason, code }
}

function reply(response: ServerResponse, code: number, body: object, contentType = 'application/json'): void {
  response.writeHead(code, { 'Content-Type': contentType }).end(JSON.stringify(body))
}

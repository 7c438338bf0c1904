import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keepTlsVerified } from '../../../agent/core/tls.ts'

test.each([
  ['0', /^NODE_TLS_REJECT_UNAUTHORIZED=0 is not honored/],
  ['1', /^$/],
  [undefined, /^$/],
])('NODE_TLS_REJECT_UNAUTHORIZED=%s is taken away, and told of if it would count', (value, told) => {
  const env: NodeJS.ProcessEnv = value === undefined ? {} : { NODE_TLS_REJECT_UNAUTHORIZED: value }
  expect(keepTlsVerified(env) ?? '').toMatch(told)
  expect(env).toEqual({})
})

/** Each way to a server, in a process with the variable, against a server whose CA it does not know. */
const ways = {
  vault: `
    const { createTransport } = await import('./agent/vault/transport.ts')
    const { systemClock } = await import('./agent/core/clock.ts')
    const address = { origins: [origin], caPem: other.certificatePem, timeoutMs: 5000 }
    const skew = { measured: () => undefined }
    const transport = createTransport({ address, clock: systemClock, skew, emit: () => {} })
    await transport.request({ operation: 'health', method: 'GET', path: '/v1/sys/health', headers: {} })`,
  'vault through a proxy': `
    const { connectThrough } = await import('./agent/vault/proxy.ts')
    const proxy = { origin, authorization: undefined }
    const tls = { ca: other.certificatePem, rejectUnauthorized: true }
    await connectThrough('https://vault.test', { proxies: { https: proxy }, tls, timeoutMs: 5000 })`,
  kubernetes: `
    const { openKube } = await import('./agent/operator/kubernetes/api.ts')
    const { writeFileSync } = await import('node:fs')
    const [caFile, tokenFile] = ['ca', 'token'].map((each) => directory + '/' + each)
    writeFileSync(caFile, other.certificatePem)
    writeFileSync(tokenFile, 'token')
    const timeouts = { answerMs: 5000, silentMs: 5000, watchSeconds: 5 }
    await openKube({ origin, caFile, tokenFile }, timeouts, new AbortController().signal).listNodes()`,
  'etcd probe': `
    const { openConnection } = await import('./agent/sidecar/gate/probe/connection.ts')
    const client = await other.issue({ commonName: 'x' })
    const identity = { certificate: client.certificatePem, key: client.privateKeyPem, ca: other.certificatePem }
    await openConnection(origin, identity, AbortSignal.timeout(5000))`,
  doctor: `
    const { readServerView } = await import('./agent/operator/doctor/tls-view.ts')
    const { failure } = await readServerView(origin, { ca: other.certificatePem }, 5000)
    if (failure !== undefined) throw failure`,
  'question of etcd about certificates': `
    const { demandsCertificate } = await import('./agent/operator/etcd/bootstrap.ts')
    if (await demandsCertificate(origin, other.certificatePem)) throw new Error('self-signed certificate in certificate chain')`,
  'metrics of the agents': `
    const { askAgents } = await import('./agent/operator/ca-rotation/agents.ts')
    const { silent } = await askAgents([origin])()
    throw new Error(silent[0].why)`,
  "etcd's client, in the program": `
    const { keepTlsVerified } = await import('./agent/core/tls.ts')
    keepTlsVerified(process.env)
    const { openEtcd } = await import('./agent/operator/etcd/client.ts')
    const client = await other.issue({ commonName: 'x' })
    const { Secret } = await import('./agent/core/secret.ts')
    const key = new Secret(client.privateKeyPem)
    const options = { endpoints: [origin], ca: other.certificatePem, cert: client.certificatePem, key }
    await openEtcd({ ...options, patienceMs: 0 }).users()`,
}

const around = (way: string): string => `
  import { createSecureServer } from 'node:http2'
  import { mkdtempSync, rmSync } from 'node:fs'
  import { tmpdir } from 'node:os'
  const { createCa } = await import('./test/support/certificates.ts')
  const [ca, other] = [await createCa({ commonName: 'one' }), await createCa({ commonName: 'other' })]
  const { certificatePem: cert, privateKeyPem: key } = await ca.issue({ server: true, ipAddresses: ['127.0.0.1'] })
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (_request, response) => {
    console.log('REACHED')
    response.end('{}')
  })
  server.on('session', () => console.log('REACHED'))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = 'https://127.0.0.1:' + server.address().port
  const directory = mkdtempSync(tmpdir() + '/tls-')
  try {
    ${way}
    console.log('ACCEPTED')
  } catch (error) {
    console.log('refused: ' + error.message)
  }
  rmSync(directory, { recursive: true })
  process.exit(0)`

test.each(Object.entries(ways))('no variable lets an unknown server in: %s', (_name, way) => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--no-warnings', '-e', around(way)], {
    encoding: 'utf8',
    env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: '' },
  })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^refused: .*(self-signed certificate|unable to (verify|get))/)
  expect(stdout).not.toMatch(/REACHED|ACCEPTED/)
})

test('no other place of the program makes a connection over TLS', () => {
  const files = readdirSync('agent', { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.ts'))
  const isConnecting = (file: string): boolean =>
    /^import (?!type ).*'(node:(tls|https|http2)|undici|etcd3)'/m.test(code(file))
  const silent = files.filter((file) => isConnecting(file) && !/rejectUnauthorized|tlsOptions/.test(code(file)))
  expect(silent.toSorted()).toEqual([
    // It connects to nothing.
    'core/v8-tuning.ts',
    // Its library takes no such option: the entry takes the variable away.
    'operator/etcd/client.ts',
    // It is given a connection that stands.
    'sidecar/gate/probe/unary.ts',
  ])
  expect(code('cli/cli.ts')).toMatch(/keepTlsVerified\(process\.env\)/)
})

function code(file: string): string {
  return readFileSync(join('agent', file), 'utf8')
}

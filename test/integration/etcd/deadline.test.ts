/** An etcd that takes connections and answers nothing: every call ends by its deadline. */

import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { Secret } from '../../../agent/core/secret.ts'
import { openEtcd } from '../../../agent/operator/etcd/client.ts'
import { createCa } from '../../support/certificates.ts'

it('says that etcd did not answer in time', async () => {
  const ca = await createCa()
  const server = await ca.issue({ server: true, ipAddresses: ['127.0.0.1'] })
  const client = await ca.issue({ commonName: 'root' })
  const silent = createSecureServer({ cert: server.certificatePem, key: server.privateKeyPem })
  silent.on('stream', () => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const endpoint = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const api = openEtcd({
    endpoints: [endpoint],
    ca: ca.certificatePem,
    cert: client.certificatePem,
    key: new Secret(client.privateKeyPem),
    deadlineMs: 200,
    patienceMs: 300,
  })
  onTestFinished(() => {
    api.close()
    silent.close()
  })
  const failure: unknown = await api.users().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'etcd-timeout' })
  expect(JSON.stringify(failure) + String(failure)).not.toContain('PRIVATE KEY')
})

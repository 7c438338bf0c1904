/** The requests themselves, against an HTTPS server of the test's own on loopback. */
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { WatchEvent } from '../../../../agent/operator/kubernetes/answers.ts'
import { type KubeApi, openKube } from '../../../../agent/operator/kubernetes/api.ts'
import { createCa, type TestCa } from '../../../support/certificates.ts'
import { tempDir } from '../../../support/temp-dir.ts'

interface Place {
  readonly api: KubeApi
  readonly directory: string
  readonly requests: IncomingMessage[]
}

/** @param trusted the CA that the account's directory names, instead of the server's own */
async function place(answer: (response: ServerResponse) => void, trusted?: TestCa): Promise<Place> {
  const ca = await createCa()
  const leaf = await ca.issue({ commonName: 'kube', server: true, ipAddresses: ['127.0.0.1'] })
  const requests: IncomingMessage[] = []
  const server = createServer({ key: leaf.privateKeyPem, cert: leaf.certificatePem }, (request, response) => {
    requests.push(request)
    answer(response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const directory = tempDir()
  writeFileSync(join(directory, 'token'), 'token1\n')
  writeFileSync(join(directory, 'ca.crt'), (trusted ?? ca).certificatePem)
  const address = {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokenFile: join(directory, 'token'),
    caFile: join(directory, 'ca.crt'),
  }
  const stop = new AbortController()
  const api = openKube(address, { answerMs: 2000, silentMs: 200, watchSeconds: 300 }, stop.signal)
  onTestFinished(() => {
    stop.abort()
    api.close()
    server.closeAllConnections()
    server.close()
  })
  return { api, directory, requests }
}

const added = (name: string, resourceVersion: string): string =>
  `${JSON.stringify({ type: 'ADDED', object: { metadata: { name, resourceVersion } } })}\n`

async function collect(events: AsyncIterable<WatchEvent>, into: WatchEvent[]): Promise<void> {
  for await (const event of events) into.push(event)
}

describe('a watch', () => {
  it('that says nothing for long is taken for dead', async () => {
    const { api, requests } = await place((response) => response.write(added('a', '6')))
    const events: WatchEvent[] = []
    const watching = collect(
      api.watchNodes('5', () => {}),
      events,
    )
    await expect(watching).rejects.toMatchObject({ code: 'kube-timeout' })
    expect(events).toEqual([{ type: 'present', name: 'a', resourceVersion: '6' }])
    const query = new URL(requests[0]?.url ?? '', 'https://kube').searchParams
    expect(Object.fromEntries(query)).toEqual({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: '5',
      timeoutSeconds: '300',
    })
  })

  it('that the API server ends is over; one that is cut in the middle is a failure', async () => {
    let isCut = false
    const { api } = await place((response) => {
      if (!isCut) return response.end(added('a', '6'))
      return response.write(added('b', '7').slice(0, 10), () => response.destroy())
    })
    const events: WatchEvent[] = []
    await collect(
      api.watchNodes('5', () => {}),
      events,
    )
    isCut = true
    const cut = collect(
      api.watchNodes('6', () => {}),
      events,
    )
    await expect(cut).rejects.toMatchObject({ code: 'kube-unreachable' })
    expect(events).toHaveLength(1)
  })

  it.each([
    [{ code: 410, message: 'too old resource version: 5 (90)' }, 'kube-expired'],
    [{ code: 500, message: 'etcd event received with PrevKv=nil' }, 'kube-busy'],
  ])('with an ERROR event %j ends as %s', async (status, code) => {
    const { api } = await place((response) =>
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', ...status } })}\n`),
    )
    const watching = collect(
      api.watchNodes('5', () => {}),
      [],
    )
    await expect(watching).rejects.toMatchObject({ code, message: expect.stringContaining(status.message) })
  })
})

describe('a request', () => {
  it('shows the token as the file holds it now', async () => {
    const { api, directory, requests } = await place((response) =>
      response.end(JSON.stringify({ metadata: { resourceVersion: '5' }, items: [] })),
    )
    await api.listNodes(undefined)
    writeFileSync(join(directory, 'token'), 'token2')
    await api.listNodes('next')
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token1', 'Bearer token2'])
    expect(new URL(requests[1]?.url ?? '', 'https://kube').searchParams.get('continue')).toBe('next')
  })

  it.each([
    [401, 'kube-unauthorized'],
    [403, 'kube-denied'],
    [429, 'kube-busy'],
    [503, 'kube-busy'],
    [504, 'kube-timeout'],
    [302, 'kube-bad-answer'],
  ])('that is answered %i fails as %s, with what the API server says and never the token', async (status, code) => {
    const { api } = await place((response) => {
      response.writeHead(status, { 'retry-after': '7' })
      response.end(JSON.stringify({ kind: 'Status', message: 'nodes is\nforbidden' }))
    })
    const failure: unknown = await api.listNodes(undefined).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code,
      message: expect.stringContaining(`${status} nodes is forbidden`),
      retryAfterMs: 7000,
    })
    expect(String(failure)).not.toContain('token1')
  })

  it.each([
    ['', 'credential-invalid'],
    ['two\nlines', 'credential-invalid'],
  ])('with the token file %j is not sent', async (text, code) => {
    const { api, directory, requests } = await place((response) => response.end())
    writeFileSync(join(directory, 'token'), text)
    await expect(api.listNodes(undefined)).rejects.toMatchObject({ code })
    expect(requests).toEqual([])
  })

  it('to a server of another CA fails as what it is, and shows it no token', async () => {
    const { api, requests } = await place((response) => response.end(), await createCa())
    await expect(api.listNodes(undefined)).rejects.toMatchObject({ code: 'kube-tls' })
    expect(requests).toEqual([])
  })
})

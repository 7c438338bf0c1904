/** What `status` reads of the running agent is what that has told; anything else on the port is not taken for it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Target } from '../../../../agent/config/config.ts'
import { statusJson } from '../../../../agent/sidecar/status/json.ts'
import { askAgent } from '../../../../agent/sidecar/status/live.ts'
import type { Status, Told } from '../../../../agent/sidecar/status/status.ts'

const targets = [{ component: 'calico-node', directory: '/calico-secrets' } as Target]
const explained = { reason: 'vault-sealed', detail: '503' } as const
const told: ReturnType<Told['target']> = {
  certificate: { serialNumber: 'AB', renewAtMs: 5000 },
  failure: { ...explained, atMs: 2000, firstAtMs: 1000, retryAtMs: 4000 },
  unproven: { reason: 'etcd-unheard', detail: 'no answer' },
  budget: { limit: 12, spent: 3 },
  notTold: { reason: 'on-publish-failed', detail: 'no such process', retryAtMs: 9000 },
  happenings: [
    { atMs: 2000, what: 'renewal-failed', ...explained, times: 2, firstAtMs: 1000 },
    { atMs: 500, what: 'published', reason: 'never-published', serialNumber: 'AB' },
  ],
}
const names = { commonName: 'calico-node:node1', issuer: 'CN=CA', chain: [] }
const status: Status = {
  node: 'node1',
  atMs: 3000,
  version: '1.2.3',
  vaultAddress: 'https://vault-2:8200',
  vault: {
    answered: { atMs: 400, operation: 'sign' },
    failure: { reason: 'vault-sealed', atMs: 2000, firstAtMs: 1000 },
  },
  targets: [
    {
      ...told,
      component: 'calico-node',
      directory: '/calico-secrets',
      state: 'good',
      problem: undefined,
      certificate: { ...names, serialNumber: 'AB', notBeforeMs: 0, notAfterMs: 9000, renewAtMs: 5000 },
      ca: [],
    },
  ],
}

async function asked(body: string): Promise<Told | undefined> {
  const server = createServer((_request, response) => response.end(body))
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return await askAgent({ listen: { host: '127.0.0.1', port }, targets })
}

test('all that it tells comes back', async () => {
  const found = await asked(JSON.stringify(statusJson(status)))
  const { version, vaultAddress, vault } = status
  expect(found).toMatchObject({ version, vaultAddress, vault })
  const target = found?.target('calico-node')
  expect(target).toMatchObject(told)
  expect(target?.happenings).toEqual(told.happenings)
  expect(found?.target('calico-cni').happenings).toEqual([])
})

test('an agent that has nothing to complain of', async () => {
  const [target] = status.targets
  const well = { failure: undefined, unproven: undefined, notTold: undefined, budget: undefined, happenings: [] }
  const all = { ...status, vault: undefined, targets: [{ ...target, ...well }] } as Status
  const found = await asked(JSON.stringify(statusJson(all)))
  expect(found?.vault).toBeUndefined()
  expect(found?.target('calico-node')).toEqual({ ...well, certificate: told.certificate })
})

test.each(['', 'null', '[]', '{"targets":[null,{"component":"calico-node","directory":"/elsewhere"}]}'])(
  'somebody else has the port: %j',
  async (body) => {
    expect(await asked(body)).toBeUndefined()
  },
)

test('what cannot be understood is left out', async () => {
  const odd = {
    component: 'calico-node',
    directory: '/calico-secrets',
    failure: { reason: 'toString', at: 1 },
    budget: { limit: '12' },
    certificate: [],
    happenings: [{ what: 'published' }, { what: 'other', at: '2026-01-01T00:00:00Z' }, 3],
  }
  const found = await asked(JSON.stringify({ version: 3, vault: { answered: { operation: 'x' } }, targets: [odd] }))
  expect(found).toMatchObject({ version: undefined, vault: { answered: undefined, failure: undefined } })
  expect(found?.target('calico-node')).toMatchObject({ failure: undefined, budget: undefined, happenings: [] })
  expect(found?.target('calico-node').certificate).toBeUndefined()
})

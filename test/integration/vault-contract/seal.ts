/** Owns the contract of quotas, health and the seal. They concern the whole server, so they come last. */
import { expect, test } from 'vitest'
import { type Contract, type Contracted, loginJwt, outcome, sign, tokenOf, wanted } from './contract.ts'

const own = 'calico-node:node1'

export function quotaCases(contract: Contracted): void {
  test('a quota answers 429, with Retry-After only when that is switched on', async () => {
    const { api } = contract()
    const token = await tokenOf(contract(), 'node1')
    const quota = { path: 'pki/sign/calico-node', rate: 1, interval: '1h' }
    const exceeded = { status: 429, error: 'request path "pki/sign/calico-node": rate limit quota exceeded' } as const
    await api.root('POST', 'sys/quotas/rate-limit/sign', quota)
    try {
      expect(outcome(await sign(contract(), token, own))).toEqual(wanted({ status: 200 }))
      const bare = await sign(contract(), token, own)
      expect(outcome(bare)).toEqual(wanted(exceeded))
      expect(bare.headers).not.toHaveProperty('retry-after')
      await api.root('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true })
      const full = await sign(contract(), token, own)
      expect(outcome(full)).toEqual(wanted(exceeded))
      expect(Number(full.headers['retry-after'])).toBeGreaterThan(3000)
      expect(full.headers).toMatchObject({ 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0' })
    } finally {
      await api.root('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: false })
      await api.root('DELETE', 'sys/quotas/rate-limit/sign')
    }
    expect(outcome(await sign(contract(), token, own))).toEqual(wanted({ status: 200 }))
  })
}

export function sealCases(contract: Contracted): void {
  test('health', async () => {
    const answer = await contract().api.call('GET', 'sys/health')
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toMatchObject({ initialized: true, sealed: false, standby: false })
    expect(answer.headers.date).toBeDefined()
  })

  test('sealed, everything is 503; unsealed, the old batch token works again', async () => {
    const { api, vault } = contract()
    const token = await tokenOf(contract(), 'node1')
    const sealed = { status: 503, error: 'Vault is sealed' } as const
    await vault.seal()
    try {
      expect(outcome(await loginJwt(contract()))).toEqual(wanted(sealed))
      expect(outcome(await sign(contract(), token, own))).toEqual(wanted(sealed))
      expect(outcome(await api.call('GET', 'pki/issuers?list=true'))).toEqual(wanted(sealed))
      const health = await api.call('GET', 'sys/health')
      expect([health.status, JSON.parse(health.text)]).toEqual([503, expect.objectContaining({ sealed: true })])
    } finally {
      await vault.unseal()
      await untilActive(contract())
    }
    expect(outcome(await sign(contract(), token, own))).toEqual(wanted({ status: 200 }))
  })
}

/** After the unseal a server takes over as the active one in its own time. */
async function untilActive({ api }: Contract): Promise<void> {
  while ((await api.call('GET', 'sys/health')).status !== 200);
}

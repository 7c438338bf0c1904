import { describe, expect, test } from 'vitest'
import { parse, problemsOf } from './environment.ts'

describe('where Vault is', () => {
  test.each([
    ['http://127.0.0.1:8200', 'http://127.0.0.1:8200'],
    ['http://127.8.9.10', 'http://127.8.9.10'],
    ['http://localhost:8200/', 'http://localhost:8200'],
    ['http://[::1]:8200', 'http://[::1]:8200'],
    ['https://VAULT.example.org:443', 'https://vault.example.org'],
  ])('VAULT_ADDR=%s', (address, origin) => {
    expect(parse({ VAULT_ADDR: address }).vault?.origins).toEqual([origin])
  })

  test('VAULT_ADDR may name several', () => {
    const { vault } = parse({ VAULT_ADDR: ' https://a:8200 ,https://B:8200/,https://[fd00::1]' })
    expect(vault?.origins).toEqual(['https://a:8200', 'https://b:8200', 'https://[fd00::1]'])
  })

  test('a socket needs no https, and VAULT_CACERT goes before VAULT_CAPATH', () => {
    const env = { VAULT_ADDR: 'unix:///run/vault/agent.sock', VAULT_CAPATH: '/certs' }
    expect(parse(env).vault).toMatchObject({ origins: [env.VAULT_ADDR], caDirectory: '/certs' })
    expect(parse({ ...env, VAULT_CACERT: '/ca.pem' }).vault).toMatchObject({
      caFile: '/ca.pem',
      caDirectory: undefined,
    })
  })

  test('http to another host needs AGENT_ALLOW_PLAIN_HTTP=true', () => {
    const address = { VAULT_ADDR: 'http://vault:8200' }
    expect(problemsOf(address)).toHaveLength(1)
    expect(parse({ ...address, AGENT_ALLOW_PLAIN_HTTP: 'true' }).vault?.origins).toEqual(['http://vault:8200'])
  })
})

import { expect, test } from 'vitest'
import { proxyFor } from '../../../agent/vault/proxy.ts'

const [https, http] = ['http://for-https:3128', 'http://for-http:3128'].map((origin) => ({
  origin,
  authorization: undefined,
}))
const proxies = { https, http, except: [] }

test('http and https have a proxy each, and this machine has none', () => {
  expect(proxyFor('https://vault:8200', proxies)).toBe(https)
  expect(proxyFor('http://vault:8200', proxies)).toBe(http)
  expect(proxyFor('https://vault', { ...proxies, https: undefined })).toBeUndefined()
  for (const host of ['localhost', '127.8.9.10', '[::1]'])
    expect(proxyFor(`https://${host}:8200`, proxies)).toBeUndefined()
})

test('without exceptions, it is for this machine too', () => {
  expect(proxyFor('https://localhost', { ...proxies, except: undefined })).toBe(https)
})

// The cases of golang.org/x/net/http/httpproxy, which Vault's CLI reads its environment with.
test.each<[string, string, boolean]>([
  ['*', 'https://vault', true],
  ['vault', 'https://vault:8200', true],
  ['example.org', 'https://vault.example.org', true],
  ['example.org', 'https://example.org', true],
  ['example.org', 'https://notexample.org', false],
  ['.example.org', 'https://vault.example.org', true],
  ['.example.org', 'https://example.org', false],
  ['*.example.org', 'https://vault.example.org', true],
  ['*.example.org', 'https://example.org', false],
  ['example.org:8200', 'https://vault.example.org:8200', true],
  ['example.org:8200', 'https://vault.example.org', false],
  ['vault:443', 'https://vault', true],
  ['192.0.2.1', 'https://192.0.2.1:8200', true],
  ['192.0.2.1', 'https://192.0.2.11', false],
  ['192.0.2.1:8200', 'https://192.0.2.1:8200', true],
  ['192.0.2.1:8201', 'https://192.0.2.1:8200', false],
  ['192.0.2.0/24', 'https://192.0.2.200', true],
  ['192.0.2.0/24', 'https://192.0.3.1', false],
  ['192.0.2.0/33', 'https://192.0.2.1', false],
  ['192.0.2.0/24', 'https://vault', false],
  ['fd00::/8', 'https://[fd00::7]:8200', true],
  ['fd00::/8', 'https://[fe80::7]', false],
  ['fd00::0007', 'https://[fd00::7]', true],
  ['[fd00::7]:8200', 'https://[fd00::7]:8200', true],
  ['[fd00::7]:8200', 'https://[fd00::7]', false],
  ['2.0.2.1', 'https://192.0.2.1', false],
  [':8200', 'https://vault:8200', false],
])('NO_PROXY=%s and %s: %s', (part, origin, isDirect) => {
  const found = proxyFor(origin, { ...proxies, except: ['other', part] })
  expect(found).toBe(isDirect ? undefined : https)
})

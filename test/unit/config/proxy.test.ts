import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import { smallest } from './environment.ts'

const proxiesOf = (env: Readonly<Record<string, string>>) => parseConfig({ ...smallest, ...env }, 'host').vault?.proxies
const at = (origin: string) => ({ origin, authorization: undefined })

test('none is named', () => {
  expect(proxiesOf({ NO_PROXY: '*' })).toBeUndefined()
})

test.each([
  ['proxy:3128', 'http://proxy:3128'],
  ['http://proxy:80', 'http://proxy'],
  ['HTTPS://Proxy.example.org', 'https://proxy.example.org'],
  ['http://[fd00::1]:3128/', 'http://[fd00::1]:3128'],
])('HTTPS_PROXY=%s', (text, origin) => {
  const proxies = { https: at(origin), http: undefined, except: [] }
  expect(proxiesOf({ HTTPS_PROXY: text })).toEqual(proxies)
  expect(proxiesOf({ https_proxy: text })).toEqual(proxies)
})

test('upper case wins, and NO_PROXY is taken apart', () => {
  const env = {
    HTTPS_PROXY: 'http://a',
    https_proxy: 'http://b',
    HTTP_PROXY: 'http://c',
    no_proxy: ' .Test , 10.0.0.0/8,',
  }
  expect(proxiesOf(env)).toEqual({ https: at('http://a'), http: at('http://c'), except: ['.test', '10.0.0.0/8'] })
})

test("a proxy of Vault's own is for everything", () => {
  const env = { HTTPS_PROXY: 'http://a', NO_PROXY: '*', VAULT_HTTP_PROXY: 'http://b' }
  expect(proxiesOf(env)).toEqual({ https: at('http://b'), http: at('http://b'), except: undefined })
  expect(proxiesOf({ ...env, VAULT_PROXY_ADDR: 'http://c' })?.https).toEqual(at('http://c'))
})

test('user and password are a secret', () => {
  const proxies = proxiesOf({ HTTPS_PROXY: 'http://user:p%40ss@proxy:3128' })
  expect(proxies?.https?.authorization?.reveal()).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  expect(inspect(proxies, { depth: Infinity, showHidden: true }) + JSON.stringify(proxies)).not.toMatch(
    /p@ss|p%40ss|dXNlcj/,
  )
})

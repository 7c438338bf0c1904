/** Reads the proxies on the way to Vault, as Vault's CLI and Go's programs do. */
import { Secret } from '../core/secret.ts'
import { type EnvironmentReader, quote } from './reader.ts'

export interface Proxy {
  /** Scheme, host and port: what may be shown of it. */
  readonly origin: string
  /** The value of Proxy-Authorization. */
  readonly authorization: Secret | undefined
}

export interface Proxies {
  /** Of https addresses and of http ones. */
  readonly https: Proxy | undefined
  readonly http: Proxy | undefined
  /** Who is reached without a proxy (NO_PROXY): parts between commas; undefined if nobody is, not even this machine. */
  readonly except: readonly string[] | undefined
}

/** Undefined if no proxy is named: nothing of proxies is loaded then. */
export function readProxies(reader: EnvironmentReader): Proxies | undefined {
  const name = reader.isSet('VAULT_PROXY_ADDR') ? 'VAULT_PROXY_ADDR' : 'VAULT_HTTP_PROXY'
  // The name of Vault's own says what it is for, so that NO_PROXY, which is meant for everything else, is not asked.
  const own = readProxy(reader, name, reader.optional(name))
  if (own !== undefined) return { https: own, http: own, except: undefined }
  const https = readProxy(reader, 'HTTPS_PROXY', reader.optional('HTTPS_PROXY') ?? reader.optional('https_proxy'))
  const http = readProxy(reader, 'HTTP_PROXY', reader.optional('HTTP_PROXY') ?? reader.optional('http_proxy'))
  if (https === undefined && http === undefined) return undefined
  const names = reader.optional('NO_PROXY') ?? reader.optional('no_proxy') ?? ''
  const except = names.split(',').map((each) => each.trim().toLowerCase())
  return { https, http, except: except.filter((each) => each !== '') }
}

type ProxyVariable = 'VAULT_PROXY_ADDR' | 'VAULT_HTTP_PROXY' | 'HTTPS_PROXY' | 'HTTP_PROXY'

function readProxy(reader: EnvironmentReader, name: ProxyVariable, value: string | undefined): Proxy | undefined {
  if (value === undefined) return undefined
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  // Its value is not shown: it may hold a password.
  if (url === undefined || url.hostname === '' || !/^(https?|socks5h?):$/.test(url.protocol)) {
    return reader.problem(name, 'is no URL of a proxy such as http://proxy.example.org:3128')
  }
  if (url.protocol.startsWith('socks')) {
    return reader.problem(name, `is a SOCKS proxy, ${quote(url.host)}; only http:// and https:// proxies are supported`)
  }
  return { origin: url.origin, authorization: authorizationOf(reader, name, url) }
}

function authorizationOf(reader: EnvironmentReader, name: ProxyVariable, url: URL): Secret | undefined {
  if (url.username === '' && url.password === '') return undefined
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    return new Secret(`Basic ${Buffer.from(pair).toString('base64')}`)
  } catch {
    return reader.problem(name, 'has a user or password that is not URL-encoded')
  }
}

/** Reads where Vault is and how TLS to it is verified: the variables of Vault's own CLI, with the same meaning. */
import { Secret } from '../core/secret.ts'
import { readVaultToken } from './auth.ts'
import { type Proxies, readProxies } from './proxy.ts'
import { type Environment, type EnvironmentReader, quote } from './reader.ts'
import { parseEnvironment } from './unknown-variables.ts'

/** Address and TLS material. Files are named, not read: vault/tls-files.ts reads them before each new connection. */
export interface VaultAddress {
  /** Scheme, host and port of each without a trailing slash, or `unix://` and a path; none only in a configuration that is refused. */
  readonly origins: readonly string[]
  readonly namespace: string | undefined
  readonly caFile: string | undefined
  readonly caPem: string | undefined
  /** Whose files hold CA certificates. */
  readonly caDirectory: string | undefined
  readonly clientCertFile: string | undefined
  readonly clientKeyFile: string | undefined
  readonly serverName: string | undefined
  readonly timeoutMs: number
  /** Undefined if Vault is reached directly. */
  readonly proxies: Proxies | undefined
  /** Whether a standby's redirect is followed. */
  readonly redirects: boolean
}

export function readVaultAddress(reader: EnvironmentReader): VaultAddress {
  const caPem = reader.optional('VAULT_CACERT_BYTES')
  if (caPem !== undefined && !caPem.includes('-----BEGIN CERTIFICATE-----')) {
    reader.problem('VAULT_CACERT_BYTES', 'holds no PEM certificate; set VAULT_CACERT to name a file')
  }
  const caFile = caPem === undefined ? reader.absolutePath('VAULT_CACERT') : undefined
  const caDirectory = reader.absolutePath('VAULT_CAPATH')
  const clientCertFile = reader.absolutePath('VAULT_CLIENT_CERT')
  const clientKeyFile = reader.absolutePath('VAULT_CLIENT_KEY')
  if (reader.isSet('VAULT_CLIENT_CERT') !== reader.isSet('VAULT_CLIENT_KEY')) {
    reader.problem('VAULT_CLIENT_CERT', 'and VAULT_CLIENT_KEY belong together; one of them is missing')
  }
  const pathLike = 'it must be a path such as team/platform, without spaces'
  const namespace = reader.matching('VAULT_NAMESPACE', /^[\x21-\x7e]+$/, pathLike)
  const hostName = /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/
  const hostLike = 'it must be a host name, without scheme and port'
  return {
    origins: readOrigins(reader),
    namespace: namespace?.replace(/^\/+|\/+$/g, '') || undefined,
    caFile,
    caPem,
    caDirectory: caPem === undefined && caFile === undefined ? caDirectory : undefined,
    clientCertFile,
    clientKeyFile,
    serverName: reader.matching('VAULT_TLS_SERVER_NAME', hostName, hostLike),
    timeoutMs: reader.durationMs('VAULT_CLIENT_TIMEOUT'),
    proxies: readProxies(reader),
    redirects: readRedirects(reader),
  }
}

/** As Go's strconv.ParseBool reads the variable, which Vault's CLI does. */
function readRedirects(reader: EnvironmentReader): boolean {
  const disabled = reader.text('VAULT_DISABLE_REDIRECTS')
  if (/^(1|t|true)$/i.test(disabled)) return false
  if (!/^(0|f|false)$/i.test(disabled)) {
    reader.problem('VAULT_DISABLE_REDIRECTS', `is ${quote(disabled)}; it must be true or false`)
  }
  return true
}

/** Each is asked within one deadline. */
const mostAddresses = 8

function readOrigins(reader: EnvironmentReader): readonly string[] {
  const plainAllowed = reader.choice('AGENT_ALLOW_PLAIN_HTTP') === 'true'
  const text = reader.optional('VAULT_ADDR')
  if (text === undefined) {
    reader.problem('VAULT_ADDR', 'is required: the URL of Vault, such as https://vault.example.org:8200')
    return []
  }
  const addresses = text.split(',').map((each) => each.trim())
  const origins = addresses.map((each) => readOrigin(reader, each, plainAllowed))
  const twice = origins.find((each, index) => each !== '' && origins.indexOf(each) !== index)
  if (twice !== undefined) reader.problem('VAULT_ADDR', `names ${twice} twice`)
  if (origins.length > mostAddresses) {
    reader.problem(
      'VAULT_ADDR',
      `names ${origins.length} addresses; at most ${mostAddresses} can be tried in one deadline`,
    )
  }
  return origins
}

function readOrigin(reader: EnvironmentReader, text: string, plainAllowed: boolean): string {
  if (text.startsWith('unix://')) return readSocket(reader, text)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    reader.problem('VAULT_ADDR', `is ${quote(text)}; it must be a URL such as https://vault.example.org:8200`)
    return ''
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    reader.problem('VAULT_ADDR', 'must hold only scheme, host and port: no path, user, query or fragment')
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !plainAllowed) {
    reader.problem('VAULT_ADDR', 'uses http; tokens and keys need https (AGENT_ALLOW_PLAIN_HTTP=true for tests)')
  }
  return url.origin
}

/** Of Vault Agent or Vault Proxy beside us: `unix://` and the absolute path, as Vault's CLI has it. */
function readSocket(reader: EnvironmentReader, text: string): string {
  const path = text.slice('unix://'.length)
  if (/^\/[^\0]*[^\0/]$/.test(path) && !path.split('/').includes('..')) return text
  reader.problem(
    'VAULT_ADDR',
    `is ${quote(text)}; a socket must be an absolute path, such as unix:///run/vault/agent.sock`,
  )
  return ''
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

export interface SetupVaultConfig {
  readonly vault: VaultAddress
  readonly token: Secret
}

/** For `setup-vault`: the address, and an administrator's token. @throws ConfigError with every problem */
export function parseSetupVaultConfig(env: Environment): SetupVaultConfig {
  return parseEnvironment(env, (reader) => {
    const vault = readVaultAddress(reader)
    const token = readVaultToken(reader)
    if (token === undefined) reader.problem('VAULT_TOKEN', "is required: an administrator's token")
    return { vault, token: token ?? new Secret('') }
  })
}

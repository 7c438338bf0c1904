/** Owns the wrong values of the variables that say where Vault is. */
import type { Environment } from '../../../agent/config/reader.ts'
import type { VariableName } from '../../../agent/config/variables.ts'

/** The variable that the message starts with, the environment, and the rest of the message. */
export const wrongVault: readonly (readonly [VariableName, Environment, RegExp | string])[] = [
  ['VAULT_ADDR', { VAULT_ADDR: undefined }, /^is required: the URL of Vault, such as https:/],
  [
    'VAULT_ADDR',
    { VAULT_ADDR: 'vault:8200' },
    'is "vault:8200"; it must be a URL such as https://vault.example.org:8200',
  ],
  ['VAULT_ADDR', { VAULT_ADDR: 'ftp://vault:8200' }, /it must be a URL such as https:/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://' }, /it must be a URL such as https:/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://vault:8200/v1' }, /^must hold only scheme, host and port/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://vault:8200?a=b' }, /^must hold only scheme, host and port/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://vault:8200#a' }, /^must hold only scheme, host and port/],
  [
    'VAULT_ADDR',
    { VAULT_ADDR: 'http://vault:8200' },
    /^uses http; tokens and keys need https \(AGENT_ALLOW_PLAIN_HTTP/,
  ],
  ['VAULT_ADDR', { VAULT_ADDR: 'http://127.0.0.1.example.org:8200' }, /^uses http/],
  ['VAULT_ADDR', { VAULT_ADDR: 'http://localhost.example.org:8200' }, /^uses http/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://a,https://a/' }, 'names https://a twice'],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://a,' }, /^is ""; it must be a URL/],
  ['VAULT_ADDR', { VAULT_ADDR: 'https://a,http://b' }, /^uses http/],
  [
    'VAULT_ADDR',
    { VAULT_ADDR: Array.from({ length: 9 }, (_, index) => `https://${index}.test`).join() },
    /^names 9 addresses; at most 8/,
  ],
  ['AGENT_ALLOW_PLAIN_HTTP', { AGENT_ALLOW_PLAIN_HTTP: 'yes' }, 'is "yes"; it must be one of false, true'],
  ['VAULT_PROXY_ADDR', { VAULT_PROXY_ADDR: 'socks5://user:secret@p:1080' }, /^is a SOCKS proxy, "p:1080"; only http/],
  ['VAULT_HTTP_PROXY', { VAULT_HTTP_PROXY: 'ftp://proxy' }, /^is no URL of a proxy/],
  ['HTTPS_PROXY', { HTTPS_PROXY: 'http://%zz:secret@p:1' }, /^has a user or password that is not URL-encoded$/],
  ['HTTP_PROXY', { http_proxy: 'http://p:port' }, /^is no URL of a proxy such as http:/],
  ['VAULT_DISABLE_REDIRECTS', { VAULT_DISABLE_REDIRECTS: 'yes' }, 'is "yes"; it must be true or false'],
  ['VAULT_CAPATH', { VAULT_CAPATH: 'certs' }, 'is "certs"; it must be an absolute path'],
  ['VAULT_ADDR', { VAULT_ADDR: 'unix://vault.sock' }, /^is "unix:\/\/vault\.sock"; a socket must be an absolute path/],
  ['VAULT_ADDR', { VAULT_ADDR: 'unix:///run/../vault.sock' }, /a socket must be an absolute path/],
  ['VAULT_CACERT', { VAULT_CACERT: 'ca.pem' }, 'is "ca.pem"; it must be an absolute path'],
  ['VAULT_CACERT_BYTES', { VAULT_CACERT_BYTES: '/etc/ca.pem' }, /^holds no PEM certificate; set VAULT_CACERT to name/],
]

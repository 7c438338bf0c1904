/**
 * The one table of environment variables, by the sections of `--help` and docs/configuration.md in the order in which a reader needs
 * them: the meaning, the default, what a value may be, and which choice a variable belongs to. The parser and both documents read it.
 */

import { choices, login, source, type Variable, vault } from './variable-row.ts'

const pki = source('pki')
const kv = source('kv')
const delivered = source('kv', 'file')

/** chown takes the number after the last one for "leave it as it is". */
const userIds = [0, 2 ** 32 - 2] as const

const pool = (value: string, meaning: string) => ({ default: value, meaning: `provision --defaults: ${meaning}` })

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

const groups = {
  // Those of Vault's own CLI, with the same meaning.
  Vault: {
    VAULT_ADDR: {
      meaning: 'URL of Vault or OpenBao, or several with commas between. Required unless AGENT_SOURCE=file',
    },
    VAULT_CACERT: {
      meaning: "file with the CA of Vault's server certificate (not the PKI CA); read again when it changes",
    },
    VAULT_CACERT_BYTES: { meaning: 'the same as PEM text; wins over VAULT_CACERT' },
    VAULT_CAPATH: { meaning: 'directory of files with CA certificates, if neither of the two is set' },
    VAULT_CLIENT_CERT: { meaning: 'client certificate for TLS to Vault; read again when it changes' },
    VAULT_CLIENT_KEY: { meaning: 'its private key' },
    VAULT_TLS_SERVER_NAME: { meaning: "name that Vault's server certificate is verified for" },
    VAULT_NAMESPACE: { meaning: 'namespace (Vault Enterprise, OpenBao)' },
    VAULT_CLIENT_TIMEOUT: { default: '60s', duration: ['0.1s', '10m'], meaning: 'deadline of one request' },
    VAULT_PROXY_ADDR: { meaning: 'URL of the proxy to Vault; wins over all of the following' },
    VAULT_HTTP_PROXY: { meaning: 'the same; NO_PROXY applies to neither of them' },
    HTTPS_PROXY: { meaning: 'URL of the proxy for https addresses; in lower case too' },
    HTTP_PROXY: { meaning: 'URL of the proxy for http addresses; in lower case too' },
    NO_PROXY: { meaning: 'what is reached without HTTPS_PROXY: names, addresses, networks, with ports' },
    VAULT_DISABLE_REDIRECTS: {
      default: 'false',
      meaning: "`true`: a standby's redirect to the active node is not followed",
    },
    VAULT_TOKEN: {
      meaning: "the token, if AGENT_AUTH_METHOD=token; setup-vault, rotate-ca: an administrator's",
      onlyFor: { AGENT_AUTH_METHOD: ['token'] },
    },
  },
  Login: {
    AGENT_AUTH_METHOD: {
      default: 'jwt',
      choices: choices.AGENT_AUTH_METHOD,
      onlyFor: vault,
      meaning: 'jwt, kubernetes, approle, cert or token',
    },
    AGENT_AUTH_MOUNT: {
      defaultText: 'name of the method',
      onlyFor: login('jwt', 'kubernetes', 'approle', 'cert'),
      meaning: 'path of the auth mount',
    },
    AGENT_AUTH_ROLE: {
      defaultText: "first target's component",
      onlyFor: login('jwt', 'kubernetes', 'cert'),
      meaning: 'role to log in with',
    },
    AGENT_AUTH_TOKEN_FILE: {
      default: `${serviceAccount}/token`,
      onlyFor: login('jwt', 'kubernetes'),
      meaning: 'service-account token, read again before every login',
    },
    AGENT_AUTH_ROLE_ID_FILE: { onlyFor: login('approle'), meaning: 'approle: file with the role id' },
    AGENT_AUTH_SECRET_ID_FILE: { onlyFor: login('approle'), meaning: 'approle: file with the secret id' },
    AGENT_VAULT_TOKEN_FILE: {
      onlyFor: login('token'),
      meaning: 'token: file with the token, read again before every use',
    },
    AGENT_INLINE_AUTH: {
      default: 'off',
      choices: ['off', 'on'],
      onlyFor: vault,
      meaning: '`on`: log in and sign in one request (OpenBao 2.4 or newer)',
    },
  },
  Certificate: {
    NODE_NAME: {
      defaultText: 'host name outside Kubernetes',
      meaning: 'name of the node, from the downward API (spec.nodeName)',
    },
    AGENT_PKI_MOUNT: { default: 'pki', onlyFor: pki, meaning: 'path of the PKI mount' },
    AGENT_PKI_ROLE: { default: '{component}', onlyFor: pki, meaning: 'PKI role; template' },
    AGENT_COMMON_NAME: {
      defaultText: '{component}:{node}, or {component} if it runs once in a cluster',
      meaning: 'common name = etcd user; template',
    },
    AGENT_CLUSTER: { default: '', meaning: 'name of the cluster, for templates and renewal slots' },
    AGENT_TTL: {
      default: '24h',
      duration: ['5s', '87600h'],
      onlyFor: pki,
      meaning: 'lifetime to ask for; the PKI role may grant less',
    },
    AGENT_RENEW_AT: {
      default: '0.65',
      decimal: [0.3, 0.85],
      onlyFor: pki,
      meaning: 'period of renewal as a fraction of the granted lifetime, 0.3 to 0.85',
    },
    AGENT_ISSUANCE_BUDGET: {
      defaultText: '12, or 4 times the schedule',
      onlyFor: pki,
      meaning: 'how many certificates each target may get within an hour; `off`',
    },
    AGENT_KEY_TYPE: {
      default: 'ec-p256',
      choices: ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096', 'ed25519'],
      onlyFor: pki,
      meaning: 'ec-p256, ec-p384, rsa-2048, rsa-4096 or ed25519',
    },
    AGENT_KEY_REUSE: {
      default: '0',
      whole: [0, 1000],
      onlyFor: pki,
      meaning: 'how many rotations may keep the private key',
    },
  },
  Files: {
    AGENT_COMPONENT: { default: 'calico-node', meaning: 'component of the single target' },
    AGENT_DIR: { default: '/calico-secrets', meaning: 'directory of the single target' },
    AGENT_TARGETS: { meaning: 'several targets, `component=directory,…`; excludes AGENT_COMPONENT and AGENT_DIR' },
    AGENT_FILE_MODE: { default: '0400', meaning: 'mode of etcd-key and etcd-cert; etcd-ca is 0444' },
    AGENT_FILE_UID: { defaultText: "the agent's", whole: userIds, meaning: 'owner of the files' },
    AGENT_FILE_GID: { defaultText: "the agent's", whole: userIds, meaning: 'group of the files' },
    AGENT_ETCD_CA_FILE: { meaning: "CA of etcd's servers if it is not the PKI CA; joined into etcd-ca" },
    AGENT_STATE_DIR: { meaning: 'node-local cache (0700) that survives the pod' },
    AGENT_BOOTSTRAP_DIR: { meaning: 'static Secret to start from when Vault cannot be reached' },
    AGENT_HOST_CNI_DIR: { meaning: "the host's /etc/cni/net.d as mounted here: keeps the CNI plugin's copy in step" },
    AGENT_HOST_CNI_COMPONENT: {
      default: 'calico-cni',
      needs: 'AGENT_HOST_CNI_DIR',
      meaning: 'target whose certificate the CNI plugin uses',
    },
  },
  etcd: {
    AGENT_ETCD_PROBE: {
      default: 'off',
      choices: ['off', 'warn', 'require'],
      meaning: '`warn` or `require`: ask etcd before publishing whether it accepts the certificate',
    },
    ETCD_ENDPOINTS: { meaning: 'provision, probe: `https://host:port,…` of etcd, as Calico has it' },
    ETCD_CA_CERT_FILE: { meaning: "provision: CA of etcd's server certificates" },
    ETCD_CERT_FILE: { meaning: "provision: the operator's certificate; its common name is a user with the role root" },
    ETCD_KEY_FILE: { meaning: 'provision: its private key' },
    AGENT_KUBERNETES_DIR: {
      default: serviceAccount,
      meaning: 'provision watch: token and ca.crt for the Kubernetes API',
    },
    AGENT_CALICO_VERSION: {
      defaultText: 'all supported ones',
      meaning: 'provision, doctor: version of Calico, such as v3.32.1, or several with commas',
    },
    // Those of calico-node for its pools, with its defaults.
    CALICO_IPV4POOL_CIDR: { meaning: 'provision --defaults: the IPv4 pool, as for calico-node; `none` for no pool' },
    CALICO_IPV4POOL_IPIP: pool('Never', 'IPIP mode: Always, CrossSubnet or Never'),
    CALICO_IPV4POOL_VXLAN: pool('Never', 'VXLAN mode: Always, CrossSubnet or Never'),
    CALICO_IPV4POOL_BLOCK_SIZE: { whole: [20, 32], ...pool('26', 'size of its blocks, 20 to 32') },
    CALICO_IPV4POOL_NAT_OUTGOING: pool('true', 'whether its pods have NAT to the outside'),
    CALICO_IPV4POOL_NODE_SELECTOR: pool('all()', 'the nodes that use it'),
    CALICO_IPV4POOL_DISABLE_BGP_EXPORT: pool('false', '`true`: BGP does not announce it'),
    CALICO_IPV6POOL_CIDR: { meaning: 'provision --defaults: the IPv6 pool, as for calico-node; `none` for no pool' },
    CALICO_IPV6POOL_VXLAN: pool('Never', 'VXLAN mode: Always, CrossSubnet or Never'),
    CALICO_IPV6POOL_BLOCK_SIZE: { whole: [116, 128], ...pool('122', 'size of its blocks, 116 to 128') },
    CALICO_IPV6POOL_NAT_OUTGOING: pool('false', 'whether its pods have NAT to the outside'),
    CALICO_IPV6POOL_NODE_SELECTOR: pool('all()', 'the nodes that use it'),
    CALICO_IPV6POOL_DISABLE_BGP_EXPORT: pool('false', '`true`: BGP does not announce it'),
  },
  Operation: {
    AGENT_SOURCE: {
      default: 'pki',
      choices: choices.AGENT_SOURCE,
      meaning: '`pki`, `kv` or `file`: where certificates come from (docs/sources.md)',
    },
    AGENT_SOURCE_DIR: { onlyFor: source('file'), meaning: 'file: directory that somebody else fills; template' },
    AGENT_SOURCE_FIELDS: {
      defaultText: '`certificate=etcd-cert,key=etcd-key,ca=etcd-ca`',
      onlyFor: delivered,
      meaning: 'kv, file: the names of the parts there; `ca=` if there is no CA',
    },
    AGENT_SOURCE_POLL: {
      default: '5m',
      duration: ['10s', '24h'],
      onlyFor: delivered,
      meaning: 'kv, file: how often the source is checked, 10s to 24h',
    },
    AGENT_KV_MOUNT: { default: 'secret', onlyFor: kv, meaning: 'kv: path of the mount' },
    AGENT_KV_PATH: {
      default: 'calico/{node}/{component}',
      onlyFor: kv,
      meaning: 'kv: path of the secret below the mount; template',
    },
    AGENT_KV_VERSION: { default: '2', choices: ['2', '1'], onlyFor: kv, meaning: 'kv: version of the engine, 1 or 2' },
    AGENT_ON_PUBLISH: {
      meaning: 'told after a publication: a program, `SIGHUP:/pid/file` or a loopback URL (docs/on-publish.md)',
    },
    AGENT_ON_PUBLISH_WHEN: {
      default: 'every',
      choices: ['every', 'ca-only'],
      needs: 'AGENT_ON_PUBLISH',
      meaning: '`every` publication, or `ca-only`: only if the CA set has changed',
    },
    AGENT_ON_PUBLISH_TIMEOUT: {
      default: '30s',
      duration: ['1s', '10m'],
      needs: 'AGENT_ON_PUBLISH',
      meaning: 'how long it may take, 1s to 10m; then the program is killed with its children',
    },
    AGENT_LISTEN: { default: '0.0.0.0:9879', meaning: 'address of health and metrics; `off`' },
    AGENT_LOG_LEVEL: {
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error'],
      meaning: 'debug, info, warn or error',
    },
    AGENT_LOG_FORMAT: {
      defaultText: 'pretty on a terminal, else json',
      choices: ['json', 'pretty'],
      meaning: 'json, or pretty for people: the message alone',
    },
    AGENT_RUNBOOK_URL: {
      defaultText: "the build's, else docs/runbook.md",
      meaning: 'https URL of your copy of docs/runbook.md: what messages link to',
    },
    AGENT_ALLOW_PLAIN_HTTP: {
      default: 'false',
      choices: ['false', 'true'],
      onlyFor: vault,
      meaning: '`true`: http to Vault on other hosts, for tests only',
    },
  },
} as const satisfies Record<string, Record<string, Variable>>

export const variables = {
  ...groups.Vault,
  ...groups.Login,
  ...groups.Certificate,
  ...groups.Files,
  ...groups.etcd,
  ...groups.Operation,
} as const

export type VariableName = keyof typeof variables

/** The names of the variables that have this in the table. */
export type NameWith<Property extends keyof Variable> = {
  [Name in VariableName]: Property extends keyof (typeof variables)[Name] ? Name : never
}[VariableName]

/** The sections with their variables, in the order of the table. */
export function groupVariables(): { title: string; variables: [string, Variable][] }[] {
  return Object.entries(groups).map(([title, rows]) => ({ title, variables: Object.entries(rows) }))
}
